//! Where the program touches the world: the clock, the terminal, the poller, signals.

pub mod acts;
pub mod aftermath;
pub mod authority;
pub mod cache;
pub mod captain;
pub mod clock;
pub mod connect;
pub mod console;
pub mod courier;
pub mod delivery;
pub mod doctor;
pub mod entropy;
pub mod keeper;
pub mod ledger;
pub mod operator;
pub mod poller;
pub mod recording;
pub mod sealer;
pub mod session;
pub mod statements;
pub mod takeover;
