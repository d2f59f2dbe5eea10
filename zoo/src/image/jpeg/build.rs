//! With the feature `jpeg-c`: compiles the functions around libjpeg beside this file. `mozjpeg-sys` has compiled
//! libjpeg itself by then.

fn main() {
    println!("cargo::rerun-if-changed=src/image/jpeg/build.rs");
    #[cfg(feature = "jpeg-c")]
    {
        println!("cargo::rerun-if-changed=src/image/jpeg/turbo.c");
        // From `links = "jpeg"` of mozjpeg-sys: the headers with which it was compiled.
        let headers = std::env::var_os("DEP_JPEG_INCLUDE").expect("mozjpeg-sys says where its headers are");
        cc::Build::new()
            .file("src/image/jpeg/turbo.c")
            .includes(std::env::split_paths(&headers))
            .compile("pvlu_zoo_jpeg");
    }
}
