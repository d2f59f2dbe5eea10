//! dfdx's tuples end at six modules; `sequential!` nests more.

use dfdx::prelude::*;
use pvlu::prelude::*;

type Layer = nn::Linear<4, 4>;

fn main() {
    let dev = Cpu::default();
    dev.build_module::<sequential![Layer, Layer, Layer, Layer, Layer, Layer, Layer], f32>();
    dev.build_module::<(Layer, Layer, Layer, Layer, Layer, Layer, Layer), f32>();
}
