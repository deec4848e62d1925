//! The contract's types and export, made from `wit/v0.1.0` by wit-bindgen.
#![allow(unsafe_code, clippy::all, clippy::pedantic, missing_docs, unreachable_pub, reason = "generated")]

wit_bindgen::generate!({
    path: "../../wit/v0.1.0",
    world: "parser",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "weir_parser_sdk::glue",
});
