//! The code of README and of the pages in docs, compiled and run by `cargo test --doc -p pvlu_zoo_examples`.

/// Makes the code of a page a documentation test.
macro_rules! pages {
    ($($page:ident $path:literal)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($path)]
            pub struct $page;
        )*
    };
}

pages! {
    Readme "../../README.md"
    Guide "../../docs/guide.md"
    FineTuning "../../docs/fine-tuning.md"
    Weights "../../docs/weights.md"
    Reproducing "../../docs/reproducing.md"
    Speed "../../docs/speed.md"
    Determinism "../../docs/determinism.md"
    Unsafe "../../docs/unsafe.md"
    Cuda "../../docs/cuda.md"
    Contributing "../../CONTRIBUTING.md"
}
