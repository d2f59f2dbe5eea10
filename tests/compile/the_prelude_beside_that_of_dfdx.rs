//! Both preludes in one file, and every name of this crate's in use.

use dfdx::prelude::*;
use pvlu::prelude::*;

/// A name of both preludes is an error where it is used, and, used or not, where both are passed on.
#[deny(ambiguous_glob_reexports)]
pub mod both {
    pub use dfdx::prelude::*;
    pub use pvlu::prelude::*;
}

type Block<A> = nn::Residual<(nn::NormedConv2D<nn::Conv2D<8, 8, 3, 1, 1>, nn::BatchNorm2D<8>>, nn::Act<A, 8>)>;
type Down<A> = nn::ProjectedResidual<(nn::Conv2D<8, 16, 3, 2, 1>, nn::Act<A, 16>), nn::SubsamplePad2D<8, 16, 2>>;
type Trunk<A> = sequential![
    nn::Conv2D<1, 8, 3, 1, 1>,
    nn::Act<A, 8>,
    Block<A>,
    Down<A>,
    nn::MaxPool2D<2, 2>,
    nn::AvgPool2D<1, 1>,
    nn::ZeroPaddedMaxPool2D<1, 1, 0>,
    nn::Dropout<10>,
    nn::FromDfdx<Tanh>,
];
type Net<A> = nn::TrunkAndHead<Trunk<A>, (nn::Flatten2D<16, 4, 4, 256>, nn::Linear<256, 10>)>;
type Pair<A> = nn::TwoHeads<Trunk<A>, nn::GlobalAvgPool2D, (nn::GlobalAvgPool2D, nn::Linear<16, 2>)>;

/// A layer of dfdx's is what it is without this crate's prelude.
type Theirs = (Linear<10, 4>, ReLU, Linear<4, 2>);

/// The activation a x^2.
#[derive(Clone, Copy, Debug, Default)]
struct Parabola;

impl Activation for Parabola {
    const NAME: &'static str = "parabola";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::trained("a", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [a]: [R; 1]) -> R {
        a * x * x
    }
    #[inline(always)]
    fn derivatives<R: Real>(x: R, [a]: [R; 1]) -> (R, [R; 1]) {
        (R::of(2.0) * a * x, [x * x])
    }
}

fn parameters<E: Dtype, D: Device<E>>(net: &impl Visit<E, D>) -> usize {
    summary(net, Extent::image(1, 16, 16)).expect("the image fits").totals.trained
}

fn main() -> Result<(), pvlu::Error> {
    let dev = Cpu::seed_from_u64(0);
    let net = dev.build_module::<Net<Relu>, f32>();
    let counts = [
        parameters(&net.clone().swap_activation::<Elu>()),
        parameters(&net.clone().swap_activation::<LeakyRelu>()),
        parameters(&net.clone().swap_activation::<SineRelu>()),
        parameters(&net.clone().swap_activation::<Swish>()),
        parameters(&net.clone().swap_activation::<Vlu>()),
        parameters(&net.clone().swap_activation::<PRelu>()),
        parameters(&net.clone().swap_activation::<Parabola>()),
    ];
    assert_eq!(counts.map(|count| count - parameters(&net)), [0, 0, 0, 0, 0, 32, 32]);

    let mut net = net.swap_activation::<Pvlu>();
    net.set_mode(Mode::Train);
    let images: Tensor<Rank4<2, 1, 16, 16>, f32, _> = dev.sample_normal();
    let logits: Tensor<Rank2<2, 10>, f32, _, GradTape<f32, Cpu>> = net.forward_mut(images.clone().track());
    let mut gradients: LeafGradients<f32, Cpu> = try_backward(cross_entropy_smoothed(logits, &[3, 7], 0.1))?;
    assert!(gradients.get_mut(&net.head.1.weight).is_some());
    let logits = net.try_forward(images.clone())?;
    assert_eq!(
        try_cross_entropy(logits.clone(), &[3, 7])?.array(),
        try_cross_entropy_smoothed(logits.clone(), &[3, 7], 0.0)?.array()
    );
    assert!(cross_entropy(logits.clone(), &[3, 7]).array().is_finite());
    let (features, place) = dev.build_module::<Pair<Pvlu>, f32>().forward(images);
    assert_eq!((features.shape().concrete(), place.shape().concrete()), ([2, 16], [2, 2]));
    dev.build_module::<Theirs, f32>().forward(logits);

    let mut layer = dev.build_module::<nn::Act<Parabola, 3>, f64>();
    let x: Tensor<Rank2<4, 3>, f64, _> = dev.sample_normal();
    assert!(gradient_check(&mut layer, &x)?.error < 1e-6);
    assert!(gradient_check_of(&mut layer, &x, |layer, x| layer.try_forward(x))?.error < 1e-6);
    assert_eq!(<activation::Pvlu as activation::Activation>::NAME, "pvlu");
    Ok(())
}
