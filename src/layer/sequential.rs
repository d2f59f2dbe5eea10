//! Networks of more layers than a tuple of dfdx's takes.

/// The type of a network of any number of layers that run one after the other, instead of a tuple:
/// `sequential![Conv2D<3, 8, 3, 1, 1>, Act<Pvlu, 8>, ...]`.
///
/// dfdx implements its traits for tuples of up to six modules. A longer one is a tuple like any other to the compiler,
/// but no module: `build_module` of it is an error that says "the trait `ZeroSizedModule` is not implemented for" the
/// tuple. This macro writes the same network as tuples of tuples, each of at most six.
///
/// | layers | type | layer 8 |
/// |---|---|---|
/// | up to 6 | the tuple itself | |
/// | 7 to 36 | a tuple of tuples of six, the last one shorter | `net.1.2` |
/// | 37 to 216 | one level more | `net.0.1.2` |
///
/// So the place of layer `i`, counted from 0, is `i` in base six, with as many digits as the number of the last layer
/// has: of 13 layers, `0.0` to `2.0`. It is where a [visit](crate::layer::Visit), a file and an error see a tensor,
/// `1.2.weight`, and with which the layer is reached in a built network, `net.1.2.weight`. A network that grows beyond
/// 6, 36 or 216 layers moves its layers one level down.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// type Net = sequential![
///     nn::Conv2D<1, 8, 3, 1, 1>,
///     nn::BatchNorm2D<8>,
///     nn::Act<Pvlu, 8>,
///     nn::MaxPool2D<2, 2>,
///     nn::Flatten2D<8, 4, 4, 128>,
///     nn::Linear<128, 32>,
///     nn::Act<Pvlu, 32>,
///     nn::Linear<32, 10>,
/// ];
///
/// let dev = Cpu::seed_from_u64(0);
/// let net = dev.build_module::<Net, f32>();
/// let images: Tensor<Rank4<2, 1, 8, 8>, f32, _> = dev.sample_normal();
/// let logits: Tensor<Rank2<2, 10>, f32, _> = net.forward(images);
/// assert_eq!(net.1.1.bias.array(), [0.0; 10]); // layer 7
/// # let _ = logits;
/// ```
///
/// Layers are types, those in other containers too: `Residual<sequential![...]>`.
#[macro_export]
macro_rules! sequential {
    // At most six: a tuple.
    ($($a:ty $(, $b:ty $(, $c:ty $(, $d:ty $(, $e:ty $(, $f:ty)?)?)?)?)? $(,)?)?) => {
        ($($a, $($b, $($c, $($d, $($e, $($f,)?)?)?)?)?)?)
    };
    // Six more make a tuple among those that are ready, and what is left over the last one. The tuples are the layers
    // of the level above.
    (@level [$($ready:ty,)*] $a:ty, $b:ty, $c:ty, $d:ty, $e:ty, $f:ty, $($rest:ty,)*) => {
        $crate::sequential!(@level [$($ready,)* ($a, $b, $c, $d, $e, $f),] $($rest,)*)
    };
    (@level [$($ready:ty,)*] $($rest:ty,)+) => {
        $crate::sequential![$($ready,)* ($($rest,)+)]
    };
    (@level [$($ready:ty,)*]) => {
        $crate::sequential![$($ready),*]
    };
    ($($layer:ty),+ $(,)?) => {
        $crate::sequential!(@level [] $($layer,)+)
    };
}

#[cfg(test)]
mod tests {
    use std::any::type_name;

    struct L<const I: usize>;

    #[test]
    fn the_place_of_a_layer_is_its_number_in_base_six() {
        assert_eq!(type_name::<sequential![]>(), type_name::<()>());
        assert_eq!(type_name::<sequential![L<0>]>(), type_name::<(L<0>,)>());
        assert_eq!(type_name::<sequential![L<0>, L<1>,]>(), type_name::<(L<0>, L<1>)>());
        type Six = (L<0>, L<1>, L<2>, L<3>, L<4>, L<5>);
        assert_eq!(type_name::<sequential![L<0>, L<1>, L<2>, L<3>, L<4>, L<5>]>(), type_name::<Six>());
        assert_eq!(type_name::<sequential![L<0>, L<1>, L<2>, L<3>, L<4>, L<5>, L<6>]>(), type_name::<(Six, (L<6>,))>());
        type Twelve = sequential![L<0>, L<1>, L<2>, L<3>, L<4>, L<5>, L<0>, L<1>, L<2>, L<3>, L<4>, L<5>,];
        assert_eq!(type_name::<Twelve>(), type_name::<(Six, Six)>());
        #[rustfmt::skip]
        type ThirtySix = sequential![
            L<0>, L<1>, L<2>, L<3>, L<4>, L<5>, L<0>, L<1>, L<2>, L<3>, L<4>, L<5>, L<0>, L<1>, L<2>, L<3>, L<4>, L<5>,
            L<0>, L<1>, L<2>, L<3>, L<4>, L<5>, L<0>, L<1>, L<2>, L<3>, L<4>, L<5>, L<0>, L<1>, L<2>, L<3>, L<4>, L<5>
        ];
        assert_eq!(type_name::<ThirtySix>(), type_name::<(Six, Six, Six, Six, Six, Six)>());
        #[rustfmt::skip]
        type ThirtySeven = sequential![
            L<0>, L<1>, L<2>, L<3>, L<4>, L<5>, L<0>, L<1>, L<2>, L<3>, L<4>, L<5>, L<0>, L<1>, L<2>, L<3>, L<4>, L<5>,
            L<0>, L<1>, L<2>, L<3>, L<4>, L<5>, L<0>, L<1>, L<2>, L<3>, L<4>, L<5>, L<0>, L<1>, L<2>, L<3>, L<4>, L<5>,
            L<6>
        ];
        assert_eq!(type_name::<ThirtySeven>(), type_name::<(ThirtySix, ((L<6>,),))>());
    }
}
