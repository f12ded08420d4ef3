//! PURE console core: the model, the facts that change it, the effects that follow.

pub mod effect;
pub mod message;
