//! Traits that every container of layers implements alike.

/// Makes a struct of layers a container: a module whose parts are found by their names, in a visit, a file and an
/// error message.
///
/// `container!(Name { field: Type, ... })` takes a struct `Name<Type, ...>` whose fields are all layers, each of a type
/// parameter of its own in the order of the fields, and implements for it dfdx's `BuildOnDevice` and
/// `TensorCollection`, and [`Visit`](crate::layer::Visit), [`BuildUnfilled`](crate::layer::BuildUnfilled) and
/// [`SwapActivation`](crate::layer::SwapActivation). What the container computes, dfdx's `Module` and `ModuleMut`, is
/// written by hand. The crate that calls it must have `dfdx` among its dependencies, and no type parameter may be
/// called `E`, `D` or `Other`.
///
/// The step that leads into a part is the name of its field, unless it is given as `field: Type = "step"`.
///
/// In a [`summary`](crate::layer::summary()) and a [`Graph`](crate::layer::Graph) the parts run one after the other.
/// Where they do not, `, describe = path` after the fields names a function that goes through them otherwise, with the
/// parameters `path`, `input` and `graph` of [`Visit::describe`](crate::layer::Visit::describe) and the parts,
/// `&[(&str, &dyn Visit<E, D>)]`.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::layer::named_parameters;
/// use pvlu::prelude::*;
///
/// /// A convolution and its activation.
/// #[derive(Clone, Debug, Default)]
/// struct Stem<C, A> {
///     conv: C,
///     act: A,
/// }
/// pvlu::container!(Stem { conv: C, act: A });
///
/// impl<X, C: Module<X>, A: Module<C::Output, Error = C::Error>> Module<X> for Stem<C, A> {
///     type Output = A::Output;
///     type Error = C::Error;
///     fn try_forward(&self, x: X) -> Result<A::Output, C::Error> {
///         self.act.try_forward(self.conv.try_forward(x)?)
///     }
/// }
///
/// type Net = (Stem<nn::Conv2D<1, 4, 3, 1, 1>, nn::Act<Pvlu, 4>>, nn::GlobalAvgPool2D, nn::Linear<4, 10>);
///
/// let dev = Cpu::seed_from_u64(0);
/// let net = dev.build_module::<Net, f32>();
/// let images: Tensor<Rank4<2, 1, 8, 8>, f32, _> = dev.sample_normal();
/// net.forward(images);
/// assert_eq!(named_parameters(&net)[0].path, "0.conv.weight");
/// ```
#[macro_export]
macro_rules! container {
    ($container:ident { $($fields:tt)+ } $(, describe = $describe:path)? $(,)?) => {
        $crate::container!(@build $container { $($fields)+ } $(, $describe)?);
        $crate::container!(@swap $container { $($fields)+ });
    };

    // All but the swap of activations: of containers in which there is none.
    (@build $container:ident { $($field:ident: $module:ident $(= $step:expr)?),+ $(,)? } $(, $describe:path)?) => {
        impl<$($module: ::dfdx::nn::BuildOnDevice<D, E>,)+ E, D> ::dfdx::nn::BuildOnDevice<D, E>
            for $container<$($module),+>
        where
            E: ::dfdx::shapes::Dtype,
            D: ::dfdx::prelude::Device<E>,
            $container<$($module::Built),+>: ::dfdx::nn::BuildModule<D, E>,
        {
            type Built = $container<$($module::Built),+>;
        }

        impl<$($module: ::dfdx::nn::TensorCollection<E, D>,)+ E, D> ::dfdx::nn::TensorCollection<E, D>
            for $container<$($module),+>
        where
            E: ::dfdx::shapes::Dtype,
            D: ::dfdx::prelude::Device<E>,
        {
            type To<E2: ::dfdx::shapes::Dtype, D2: ::dfdx::prelude::Device<E2>> = $container<$($module::To<E2, D2>),+>;

            fn iter_tensors<V: ::dfdx::nn::ModuleVisitor<Self, E, D>>(
                visitor: &mut V,
            ) -> ::std::result::Result<::std::option::Option<Self::To<V::E2, V::D2>>, V::Err> {
                visitor.visit_fields(
                    ($(Self::module(
                        $crate::container!(@step $field $(= $step)?),
                        |container| &container.$field,
                        |container| &mut container.$field,
                    ),)+),
                    |($($field,)+)| $container { $($field),+ },
                )
            }
        }

        impl<$($module: $crate::layer::Visit<E, D>,)+ E, D> $crate::layer::Visit<E, D> for $container<$($module),+>
        where
            E: ::dfdx::shapes::Unit,
            D: ::dfdx::tensor::Storage<E>,
        {
            fn visit(
                &self,
                path: &mut $crate::layer::Path,
                visitor: &mut dyn $crate::layer::Visitor<E, D>,
            ) -> ::std::result::Result<(), $crate::Error> {
                $crate::layer::children::visit(
                    path,
                    visitor,
                    &[$(($crate::container!(@step $field $(= $step)?), &self.$field)),+],
                )
            }
            fn visit_mut(
                &mut self,
                path: &mut $crate::layer::Path,
                visitor: &mut dyn $crate::layer::VisitorMut<E, D>,
            ) -> ::std::result::Result<(), $crate::Error> {
                $crate::layer::children::visit_mut(
                    path,
                    visitor,
                    &mut [$(($crate::container!(@step $field $(= $step)?), &mut self.$field)),+],
                )
            }
            fn describe(
                &self,
                path: &mut $crate::layer::Path,
                input: $crate::layer::Wires,
                graph: &mut $crate::layer::GraphBuilder<'_>,
            ) -> ::std::result::Result<$crate::layer::Wires, $crate::Error> {
                $crate::container!(@describe $($describe)?)(
                    path,
                    input,
                    graph,
                    &[$(($crate::container!(@step $field $(= $step)?), &self.$field)),+],
                )
            }
        }

        impl<$($module: $crate::layer::BuildUnfilled<E, D>,)+ E, D> $crate::layer::BuildUnfilled<E, D>
            for $container<$($module),+>
        where
            E: ::dfdx::shapes::Dtype,
            D: ::dfdx::prelude::Device<E>,
        {
            fn try_unfilled(device: &D) -> ::std::result::Result<Self, $crate::Error> {
                ::std::result::Result::Ok($container { $($field: $module::try_unfilled(device)?),+ })
            }
        }
    };

    (@swap $container:ident { $($field:ident: $module:ident $(= $step:expr)?),+ $(,)? }) => {
        impl<$($module: $crate::layer::SwapActivation<E, D>,)+ E, D> $crate::layer::SwapActivation<E, D>
            for $container<$($module),+>
        where
            E: ::dfdx::shapes::Dtype,
            D: ::dfdx::prelude::Device<E>,
        {
            type Swapped<Other: $crate::activation::Activation> = $container<$($module::Swapped<Other>),+>;

            fn try_swap_activation_on<Other: $crate::activation::Activation>(
                self,
                device: &D,
            ) -> ::std::result::Result<Self::Swapped<Other>, $crate::Error> {
                ::std::result::Result::Ok($container {
                    $($field: self.$field.try_swap_activation_on::<Other>(device)?),+
                })
            }
        }
    };

    (@step $field:ident) => { ::std::stringify!($field) };
    (@step $field:ident = $step:expr) => { $step };
    (@describe) => { $crate::layer::children::describe };
    (@describe $describe:path) => { $describe };
}
