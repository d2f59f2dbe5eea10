//! Panels over the activation layers of a network, and the values of a parameter in each of them.

use crate::common::figure::axis::{Axis, Panel, Range};
use crate::common::figure::look::Look;
use crate::common::figure::scene::{INK, Point, Scene, Stroke};

/// Height of a panel with an axis of layers, in pixels.
pub const HEIGHT: f64 = 210.0;
const LAYERS: &str = "activation layer, in forward order";
/// Largest distance of a series' marks from those of the next one, in pixels.
const SHIFT: f64 = 7.0;

/// Note on the marks of [`Parameter::draw`].
pub const MARKS: &str = "Mark: median over the channels of a layer. Line: from the first to the third quartile.";

/// The axis of the layers, which begins and ends half a layer beyond them.
pub fn axis(orders: impl Iterator<Item = f64>) -> Axis<'static> {
    let ends = orders.flat_map(|order| [order - 0.5, order + 0.5]);
    Axis { label: LAYERS, range: Range::of(ends), closest: 1.0 }
}

/// A layer's channels in one series.
#[derive(Clone, Copy, Debug)]
pub struct Channels {
    /// Index of the series.
    pub series: usize,
    /// Place of the layer in forward order.
    pub order: f64,
    /// Median over the channels; `None` if it is not known.
    pub median: Option<f64>,
    /// First and third quartile over the channels; `None` if they are not known.
    pub quartiles: Option<(f64, f64)>,
}

/// The values of a parameter in all layers of a network.
#[derive(Clone, Debug, Default)]
pub struct Parameter {
    /// Value from which every channel started, if it is known.
    pub start: Option<f64>,
    /// Channels of each layer and series.
    pub layers: Vec<Channels>,
}

impl Parameter {
    /// Draws a panel at a place and of a width: the median and the quartiles of each layer's channels, and the value
    /// that they started from. `title` is that of the panel, `name` that of the parameter; each series has a look.
    pub fn draw(
        &self,
        scene: &mut Scene,
        ((left, top), width): (Point, f64),
        [title, name]: [&str; 2],
        looks: &[Look],
    ) {
        let values = self.layers.iter().flat_map(|layer| {
            layer.median.into_iter().chain(layer.quartiles.into_iter().flat_map(|(low, high)| [low, high]))
        });
        let range = Range::of(values.chain(self.start)).padded();
        let x = axis(self.layers.iter().map(|layer| layer.order));
        let panel = Panel { left, top, width, height: HEIGHT, x, y: Axis { label: name, range, closest: 0.0 } };
        let start = self.start.map_or_else(String::new, |start| format!(", started from {start}"));
        panel.draw(scene, &format!("{title}: {name}{start}"));
        if let Some(start) = self.start {
            let ends = [x.range.low, x.range.high].map(|end| panel.at(end, start));
            scene.line(ends.to_vec(), Stroke { dash: &[5.0, 3.0], ..Stroke::solid(INK, 1.2) });
        }
        let shift = (0.7 * panel.width / (x.range.high - x.range.low) / looks.len().max(1) as f64).min(SHIFT);
        for layer in &self.layers {
            let Some(look) = looks.get(layer.series) else { continue };
            let aside = (layer.series as f64 - (looks.len() as f64 - 1.0) / 2.0) * shift;
            let at = |value| {
                let (x, y): Point = panel.at(layer.order, value);
                (x + aside, y)
            };
            if let Some((low, high)) = layer.quartiles {
                scene.line(vec![at(low), at(high)], Stroke { opacity: 0.6, ..Stroke::solid(look.color, 1.5) });
            }
            if let Some(median) = layer.median {
                look.mark(scene, at(median), 2.6);
            }
        }
        if self.layers.iter().all(|layer| layer.median.is_none()) {
            panel.say_empty(scene, "no values");
        }
    }
}
