//! The steps of a network, from its graph.

use std::sync::{Mutex, PoisonError};

use super::builder::{Builder, Built};
use super::memory::{Kept, Places};
use super::slices::Load;
use super::step::{MapId, Step};
use super::tensors::Tensors;
use crate::error::Error;
use crate::kernel::cpu::blocked::convert::to_planes;
use crate::kernel::cpu::blocked::{BlockedMap, Source};
use crate::kernel::cpu::tasks::{alone, each, threads};
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
    /// The steps of a graph with these tensors, by the methods that are fastest for batches of `batch` images.
    pub fn of(graph: &Graph, tensors: &Tensors<'_>, batch: usize) -> Result<Self, Error> {
        if graph.input.elements() == 0 {
            return Err(Error::Shape { expected: 1, found: 0 });
        }
        let Built { steps, maps, results } = Builder::run(graph, tensors, batch)?;
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
        let Some(slice) = self.load().images_of_a_slice(batch, threads()) else { return Ok(self.run_slice(images)) };
        let slices: Vec<Mutex<Vec<Vec<f32>>>> = (0..batch.div_ceil(slice)).map(|_| Mutex::default()).collect();
        each(images.chunks(slice * image).zip(&slices), |(images, results)| {
            let found = alone(|| self.run_slice(images));
            *results.lock().unwrap_or_else(PoisonError::into_inner) = found;
        });
        let mut results: Vec<Vec<f32>> =
            self.outputs.iter().map(|output| Vec::with_capacity(batch * output.elements())).collect();
        for slice in slices {
            let slice = slice.into_inner().unwrap_or_else(PoisonError::into_inner);
            results.iter_mut().zip(slice).for_each(|(all, found)| all.extend(found));
        }
        Ok(results)
    }

    /// Memory and work of an image, by which a batch is cut into slices.
    pub fn load(&self) -> Load {
        let bytes = self.places.lens.iter().sum::<usize>() * size_of::<f32>();
        let numbered = self.steps.iter().enumerate();
        let multiply_adds = numbered.map(|(number, step)| step.multiply_adds(self.maps[number])).sum();
        Load { map_bytes: bytes, weight_bytes: self.weight_bytes(), multiply_adds }
    }

    /// Runs all steps on some images.
    fn run_slice(&self, images: &[f32]) -> Vec<Vec<f32>> {
        let batch = images.len() / self.input.elements();
        let in_batch = |map: MapId| BlockedMap { batch, ..self.maps[map] };
        let Places { buffers: places, lens } = &self.places;
        self.kept.with(lens.iter().map(|len| len * batch), |buffers| {
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
        })
    }
}
