//! Onboarding end to end: the commands, as a process, against the strict fake of AWS, over HTTP.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod organization;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod support;
