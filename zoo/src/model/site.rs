//! Telling activations with a parameter for each element the maps that they are applied to.

use std::collections::BTreeMap;

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::activation::{Definition, Param};
use pvlu::layer::{
    AnyTensor, Extent, LayerKind, NamedTensor, ParamKind, Path, Site, Switch, Switches, Visit, VisitorMut,
};

/// Gives activations with a parameter for each element, if they were not told the size of their feature maps, the
/// parameters for images of this size, whatever other activations the network has. `start` returns the start value of a
/// parameter.
///
/// # Errors
///
/// [`Error::Shape`] or [`Error::Window`] for images that the network does not take; [`Error::Device`] if there is no
/// memory.
pub fn tell_size(net: &mut dyn Visit<f32, Cpu>, image: Extent, start: fn(&Param) -> f64) -> Result<(), Error> {
    let mut untold = false;
    net.each_switch(|switches| {
        if let Switches::Activation { activation, site, .. } = switches {
            untold |= activation.is_per_element() && site.is_none();
        }
    });
    if !untold {
        return Ok(());
    }
    let mut sites = BTreeMap::new();
    net.summarize(&mut Path::root(), image, &mut |layer| {
        if matches!(layer.kind, LayerKind::Activation { activation } if activation.is_per_element()) {
            sites.insert(layer.path.to_owned(), Site { map: layer.output, image });
        }
    })?;
    net.visit_mut(&mut Path::root(), &mut Tell { sites, start, told: None })
}

struct Tell {
    /// Sites by the path of the layer.
    sites: BTreeMap<String, Site>,
    start: fn(&Param) -> f64,
    /// The activation whose parameters follow, if it has just made them, as zeros.
    told: Option<&'static Definition>,
}

impl VisitorMut<f32, Cpu> for Tell {
    fn switches(&mut self, path: &str, switches: Switches<'_>) -> Result<(), Error> {
        self.told = None;
        if let Switches::Activation { activation, site, .. } = switches
            && activation.is_per_element()
            && site.is_none()
        {
            *site = self.sites.get(path).copied();
            self.told = site.map(|_| *activation);
        }
        Ok(())
    }

    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        let is_parameter = matches!(slot.kind, ParamKind::Activation | ParamKind::Hyperparameter);
        let Some(told) = self.told.filter(|_| is_parameter) else { return Ok(()) };
        let name = slot.path.rsplit('.').next();
        let params = told.params();
        let param = params.iter().find(|param| Some(param.name) == name);
        // Zeros are not written again, so that memory is not taken before it is used.
        match param.map(|param| (self.start)(param) as f32).filter(|value| *value != 0.0) {
            Some(value) => tensor.with_mut(&mut |values| values.fill(value)),
            None => Ok(()),
        }
    }
}
