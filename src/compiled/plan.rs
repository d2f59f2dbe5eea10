//! The steps of a network, from its graph.

use super::builder::{Builder, Built};
use super::memory::{Kept, Places};
use super::step::{MapId, Step};
use super::tensors::Tensors;
use crate::error::Error;
use crate::kernel::cpu::blocked::convert::to_planes;
use crate::kernel::cpu::blocked::{BlockedMap, Source};
use crate::layer::{Extent, Graph};

/// The steps of a compiled network, and the places of their maps in memory.
#[derive(Debug)]
pub struct Plan {
    input: Extent,
    outputs: Vec<Extent>,
    steps: Vec<Step>,
    /// The output of each step, for one image.
    maps: Vec<BlockedMap>,
    results: Vec<MapId>,
    places: Places,
    kept: Kept,
}

impl Plan {
    /// The steps of a graph with these tensors.
    pub fn of(graph: &Graph, tensors: &Tensors) -> Result<Self, Error> {
        if graph.input.elements() == 0 {
            return Err(Error::Shape { expected: 1, found: 0 });
        }
        let Built { steps, maps, results } = Builder::run(graph, tensors)?;
        let lens: Vec<usize> = maps.iter().map(BlockedMap::len).collect();
        let places = Places::of(&steps, &lens, &results);
        let outputs = graph.outputs.iter().map(|&wire| graph.extent(wire)).collect();
        Ok(Self { input: graph.input, outputs, steps, maps, results, places, kept: Kept::default() })
    }

    pub fn input(&self) -> Extent {
        self.input
    }

    pub fn outputs(&self) -> &[Extent] {
        &self.outputs
    }

    #[cfg(test)]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    #[cfg(test)]
    pub fn buffers(&self) -> usize {
        self.places.lens.len()
    }

    pub fn weight_bytes(&self) -> usize {
        self.steps.iter().map(|step| step.operation.weight_bytes()).sum()
    }

    /// Runs all steps on a batch of images.
    pub fn run(&self, images: &[f32]) -> Result<Vec<Vec<f32>>, Error> {
        let image = self.input.elements();
        if image == 0 || !images.len().is_multiple_of(image) {
            return Err(Error::Shape { expected: images.len() / image.max(1) * image, found: images.len() });
        }
        let batch = images.len() / image;
        let in_batch = |map: MapId| BlockedMap { batch, ..self.maps[map] };
        let Places { buffers: places, lens } = &self.places;
        Ok(self.kept.with(lens.iter().map(|len| len * batch), |buffers| {
            for (number, step) in self.steps.iter().enumerate() {
                let output = in_batch(number);
                let mut y = std::mem::take(&mut buffers[places[number]]);
                let source = |&map: &MapId| {
                    let map_in_batch = in_batch(map);
                    Source { map: map_in_batch, values: &buffers[places[map]][..map_in_batch.len()] }
                };
                let inputs: Vec<_> = step.inputs.iter().map(source).collect();
                step.run(images, &inputs, output, &mut y[..output.len()]);
                buffers[places[number]] = y;
            }
            let result = |&id: &MapId| {
                let map = in_batch(id);
                let mut planes = vec![0.0; batch * map.channels * map.pixels()];
                to_planes(map, &buffers[places[id]][..map.len()], &mut planes);
                planes
            };
            self.results.iter().map(result).collect()
        }))
    }
}
