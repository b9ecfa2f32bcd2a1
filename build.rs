//! Tells the linker how a Node addon is built. The silent core needs nothing.

fn main() {
    #[cfg(feature = "node")]
    {
        napi_build::setup();
        // Node unloads an addon whose last worker has ended; our threads still run its code then. Stay mapped.
        if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
    }
}
