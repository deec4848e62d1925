//! A parser of a contract that the host does not run.

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "parser" });
}

struct Component;

impl bindings::exports::weir::parser::parsing::Guest for Component {
    fn parse(line: String) -> String {
        format!("{{\"message\":{line:?}}}")
    }
}

bindings::export!(Component with_types_in bindings);
