//! The admin API over real unix and TCP sockets, with an invented world behind its ports.

#[cfg(test)]
mod client;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod world;

#[cfg(test)]
mod page;
