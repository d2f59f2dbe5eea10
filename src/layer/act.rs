//! The layer that applies an activation.

use std::any::TypeId;
use std::marker::PhantomData;

use dfdx::nn::{BuildModule, BuildOnDevice, Module, ModuleVisitor, NonMutableModule, TensorCollection, TensorOptions};
use dfdx::prelude::Device;
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank1, Shape};
use dfdx::tensor::{HasErr, Storage, Tensor};

use super::activate::Activate;
use super::any_tensor::{AnyTensor, Host};
use super::apply::{Keep, Parameter};
use super::choose::choose_activation;
use super::graph_builder::{GraphBuilder, Wires};
use super::layer_summary::{Extent, LayerKind};
use super::normalized_activation;
use super::per_element::{PerElement, Site};
use super::visit::{ParamKind, Path, Switches, Visit, Visitor, VisitorMut, hand_out, show};
use crate::activation::{Activation, Chosen, Definition, FusedElement, MAX_PARAMS, Param, ParamArray, Pvlu};
use crate::backend::{Backend, ChannelsLayout};
use crate::error::Error;
use crate::tape::Track;

pub mod builder {
    //! The form of the layer in which network types are written, without element type and device.

    /// An activation over `C` channels; see [`layer::Act`](crate::layer::Act).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Act<A, const C: usize>(std::marker::PhantomData<A>);
}

/// Activation `A` over `C` channels, with exactly A's parameters, each one value a channel: none for ReLU, `alpha` for
/// PReLU, `alpha` and `beta` for PVLU.
///
/// Shapes: images `(B, C, H, W)` or features `(B, C)`, to the same. Forward is one fused kernel; backward computes the
/// gradients of the input and of all parameters in one pass. Parameters start at the values in
/// [`Activation::PARAMS`]; hyperparameters are saved with the network and never trained.
///
/// Of an activation with a [parameter for each element](Activation::PER_ELEMENT), such as
/// [`PReluElement`](crate::activation::PReluElement), each parameter has one value for every channel, row and column of
/// one size of map, which [`choose_activation`] tells the layer. Before that the layer returns [`Error::NoMapSize`],
/// and for maps of another size [`Error::MapSize`]. dfdx's `TensorCollection`, and with it its optimizers and its
/// files, does not see these tensors but one of `C` values for each, which is not used; a [`Visit`] sees them and
/// nothing else.
///
/// Frozen, it computes no gradient of its parameters and they stay as they are.
#[derive(Clone, Debug)]
pub struct Act<A, const C: usize, E: Dtype, D: Storage<E>> {
    /// The activation that is computed: that of `A`, unless that is [`Chosen`].
    definition: &'static Definition,
    /// The parameters in the order of [`Activation::PARAMS`]; those that a chosen activation has come first.
    params: Vec<Tensor<Rank1<C>, E, D>>,
    /// The parameters of an activation with one for each element, instead of `params`.
    elements: Option<PerElement<E, D>>,
    /// Frozen: the parameters get no gradient and no update.
    pub frozen: bool,
    activation: PhantomData<A>,
}

impl<A: Activation, const C: usize, E: Dtype, D: Storage<E>> Act<A, C, E, D> {
    /// Names, start values and kinds of the parameters of the type.
    pub fn specs() -> Vec<Param> {
        A::PARAMS.as_slice().to_vec()
    }

    /// The activation that it applies.
    pub fn definition(&self) -> &'static Definition {
        self.definition
    }

    /// The parameter or hyperparameter of this name, if it has one value for each channel.
    pub fn param(&self, name: &str) -> Option<&Tensor<Rank1<C>, E, D>> {
        let position = self.position(name).filter(|_| !self.definition.is_per_element())?;
        self.params.get(position)
    }

    /// The parameter or hyperparameter of this name, if it has one value for each channel, for changing.
    pub fn param_mut(&mut self, name: &str) -> Option<&mut Tensor<Rank1<C>, E, D>> {
        let position = self.position(name).filter(|_| !self.definition.is_per_element())?;
        self.params.get_mut(position)
    }

    /// The parameter or hyperparameter of this name, if it has one value for each element: row after row, channel after
    /// channel.
    pub fn element_param(&self, name: &str) -> Option<&Tensor<(usize,), E, D>> {
        let elements = self.elements.as_ref()?;
        Some(&elements.params.get(self.position(name)?)?.tensor)
    }

    /// The maps that it has a parameter for each element of, where it has.
    pub fn site(&self) -> Option<Site> {
        self.elements.as_ref().map(|elements| elements.site)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.definition.params().iter().position(|param| param.name == name)
    }

    fn kind(param: &Param) -> ParamKind {
        if param.trained { ParamKind::Activation } else { ParamKind::Hyperparameter }
    }
}

impl<A: Activation, const C: usize, E: Dtype, D: Device<E>> Act<A, C, E, D> {
    /// The layer at the values that it takes the place of another activation with; see [`Param::swapped`].
    pub(super) fn try_swapped_on(device: &D) -> Result<Self, Error> {
        let one = |param: &Param| {
            let value = E::from_f64(param.swapped).unwrap_or_default();
            device.try_tensor_from_vec(vec![value; C], (Const,)).map_err(|error| Error::Device(error.to_string()))
        };
        let params = A::PARAMS.as_slice().iter().map(one).collect::<Result<_, _>>()?;
        Ok(Self { definition: A::definition(), params, elements: None, frozen: false, activation: PhantomData })
    }
}

impl<const C: usize, E: Dtype, D: Device<E> + Host<E>> Act<Chosen, C, E, D> {
    /// Makes it apply another activation, with the parameters of training from scratch: one with a parameter for each
    /// element to features `(B, C)`.
    ///
    /// [`choose_activation`] does so for a whole network, and for images.
    pub fn choose(&mut self, activation: &'static Definition) -> Result<(), Error> {
        choose_activation(self, activation, Extent::features(C), |param| param.start)
    }
}

impl<A: Activation, const C: usize, E: Dtype, D: Host<E>> Act<A, C, E, D> {
    /// The tensors of the activation's parameters, in order.
    fn tensors(&self) -> Vec<&dyn AnyTensor<E, D>> {
        if self.definition.is_per_element() {
            return self.elements.as_ref().map(PerElement::tensors).unwrap_or_default();
        }
        self.params.iter().map(|tensor| tensor as &dyn AnyTensor<E, D>).collect()
    }

    /// The same tensors as [`tensors`](Self::tensors), for changing.
    fn tensors_mut(&mut self) -> Vec<&mut dyn AnyTensor<E, D>> {
        if self.definition.is_per_element() {
            return self.elements.as_mut().map(PerElement::tensors_mut).unwrap_or_default();
        }
        self.params.iter_mut().map(|tensor| tensor as &mut dyn AnyTensor<E, D>).collect()
    }
}

impl<A: Activation, const C: usize, E: Dtype, D: Device<E>> Act<A, C, E, D> {
    /// Makes it apply an activation, to maps of one size if that has a parameter for each element; does nothing if it
    /// does.
    fn set(&mut self, definition: &'static Definition, site: Option<Site>) -> Result<(), Error> {
        let site = site.filter(|_| definition.is_per_element());
        if (definition, site) == (self.definition, self.site()) {
            return Ok(());
        }
        if definition != self.definition && TypeId::of::<A>() != TypeId::of::<Chosen>() {
            let (expected, found) = (self.definition.text(), definition.text());
            return Err(Error::NotChosen { expected, found });
        }
        let elements = match (site, self.params.first()) {
            (Some(site), Some(tensor)) => {
                site.map.expect_channels(C)?;
                Some(PerElement::try_zeros(tensor.device(), site, definition.params().len())?)
            }
            _ => None,
        };
        (self.definition, self.elements) = (definition, elements);
        Ok(())
    }
}

impl<const C: usize, E: Dtype, D: Storage<E>> Act<Pvlu, C, E, D> {
    /// Amplitude of the sine, `[channels]`.
    pub fn alpha(&self) -> &Tensor<Rank1<C>, E, D> {
        &self.params[0]
    }
    /// Frequency of the sine, `[channels]`.
    pub fn beta(&self) -> &Tensor<Rank1<C>, E, D> {
        &self.params[1]
    }
}

impl<A: Activation, const C: usize, E: Dtype, D: Device<E>> BuildOnDevice<D, E> for builder::Act<A, C>
where
    Act<A, C, E, D>: BuildModule<D, E>,
{
    type Built = Act<A, C, E, D>;
}

/// Fills a tensor in place.
type Start<const C: usize, E, D> = fn(&mut Tensor<Rank1<C>, E, D>) -> Result<(), <D as HasErr>::Err>;

/// Fills parameter `I` with its start value. dfdx takes a function without captures, hence the const parameter.
fn start<A: Activation, const I: usize, const C: usize, E: Dtype, D: Device<E>>(
    tensor: &mut Tensor<Rank1<C>, E, D>,
) -> Result<(), D::Err> {
    let value = A::PARAMS.as_slice()[I].start;
    let value = E::from_f64(value).unwrap_or_default();
    tensor.copy_from(&vec![value; C]);
    Ok(())
}

impl<A: Activation, const C: usize, E: Dtype, D: Device<E>> TensorCollection<E, D> for Act<A, C, E, D> {
    type To<E2: Dtype, D2: Device<E2>> = Act<A, C, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        const { assert!(<A::Params<()> as ParamArray<()>>::LEN <= MAX_PARAMS, "at most 4 parameters") };
        let starts: [Start<C, E, D>; MAX_PARAMS] =
            [start::<A, 0, C, E, D>, start::<A, 1, C, E, D>, start::<A, 2, C, E, D>, start::<A, 3, C, E, D>];
        let fields: Vec<_> = A::PARAMS
            .as_slice()
            .iter()
            .zip(starts)
            .enumerate()
            .map(|(i, (param, start))| {
                let options =
                    if param.trained { TensorOptions::reset_with(start) } else { TensorOptions::detached(start) };
                Self::tensor(param.name, move |s: &Self| &s.params[i], move |s: &mut Self| &mut s.params[i], options)
            })
            .collect();
        visitor.visit_fields(fields, |params| Act {
            definition: A::definition(),
            params,
            elements: None,
            frozen: false,
            activation: PhantomData,
        })
    }
}

impl<A: Activation, const C: usize, E: Dtype, D: Device<E> + Host<E>> Visit<E, D> for Act<A, C, E, D> {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        for (param, tensor) in self.definition.params().iter().zip(self.tensors()) {
            show(path, visitor, (param.name, Self::kind(param), self.frozen), tensor)?;
        }
        Ok(())
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        let (mut chosen, mut site) = (self.definition, self.site());
        let (activation, frozen) = (&mut chosen, &mut self.frozen);
        let switches = Switches::Activation { activation, channels: C, site: &mut site, frozen };
        visitor.switches(path.as_str(), switches)?;
        self.set(chosen, site)?;
        let (params, frozen) = (self.definition.params(), self.frozen);
        for (param, tensor) in params.iter().zip(self.tensors_mut()) {
            hand_out(path, visitor, (param.name, Self::kind(param), frozen), tensor)?;
        }
        Ok(())
    }
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        let kind = LayerKind::Activation { activation: self.definition };
        Ok(graph.layer(path.as_str(), kind, input, input.extent().expect_channels(C)?))
    }
}

impl<A: Activation, const C: usize, E: Dtype, D: Storage<E>> NonMutableModule for Act<A, C, E, D> {}

impl<A: Activation, const C: usize, E: FusedElement + Dtype, D: Backend<E>> Act<A, C, E, D> {
    /// Applies the activation to a batch of maps of one size.
    fn apply<S: Shape, T: Track<E, D>>(
        &self,
        x: Tensor<S, E, D, T>,
        batch: usize,
        map: Extent,
    ) -> Result<Tensor<S, E, D, T>, Error> {
        let activation = E::fused(self.definition);
        if !D::has_activation(&activation) {
            return Err(Error::NoKernel { activation: self.definition.text() });
        }
        let specs = self.definition.params();
        let maps = ChannelsLayout { outer: batch, channels: C, inner: map.plane() };
        let (layout, parameters) = if self.definition.is_per_element() {
            let layout = ChannelsLayout { channels: map.elements(), inner: 1, ..maps };
            let named = specs.iter().zip(&PerElement::of_map(self.elements.as_ref(), self.definition, map)?.params);
            (layout, named.map(|(spec, elements)| self.parameter(spec, &elements.tensor)).collect())
        } else {
            (maps, specs.iter().zip(&self.params).map(|(spec, tensor)| self.parameter(spec, tensor)).collect())
        };
        let keep = if self.definition.differentiates_from_output() { Keep::Output } else { Keep::Input };
        normalized_activation::apply(x, Activate { activation, layout, maps, parameters, keep })
    }

    fn parameter<S: Shape>(&self, spec: &Param, tensor: &Tensor<S, E, D>) -> Parameter<E, D> {
        Parameter::new(spec.name, tensor, spec.trained && !self.frozen)
    }
}

impl<A: Activation, const C: usize, B: Dim, H: Dim, W: Dim, E: FusedElement + Dtype, D: Backend<E>, T: Track<E, D>>
    Module<Tensor<(B, Const<C>, H, W), E, D, T>> for Act<A, C, E, D>
{
    type Output = Tensor<(B, Const<C>, H, W), E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<C>, H, W), E, D, T>) -> Result<Self::Output, Error> {
        let (batch, _, height, width) = *x.shape();
        self.apply(x, batch.size(), Extent::image(C, height.size(), width.size()))
    }
}

impl<A: Activation, const C: usize, B: Dim, E: FusedElement + Dtype, D: Backend<E>, T: Track<E, D>>
    Module<Tensor<(B, Const<C>), E, D, T>> for Act<A, C, E, D>
{
    type Output = Tensor<(B, Const<C>), E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<C>), E, D, T>) -> Result<Self::Output, Error> {
        let batch = x.shape().0.size();
        self.apply(x, batch, Extent::features(C))
    }
}
