//! Parses the command line, calls the library, gives the exit code.

fn main() -> std::process::ExitCode {
    lakeshift::cli::main(std::env::args_os())
}
