//! Whole lives of operations against a small model of the platform, with every fault at every instant. The deterministic
//! simulation does the same with the real client and the simulated workspaces; this one is small enough to read.
