//! Figures as both programs draw them: a scene of lines, areas and text, written as SVG and as PNG.

pub mod axis;
pub mod font;
pub mod layers;
pub mod look;
pub mod raster;
pub mod scene;
pub mod svg;
