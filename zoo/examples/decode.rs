//! Decodes the image files named on standard input, one a line, into `DIR/0.rgb`, `DIR/1.rgb` and so on: the bytes of
//! `Image::pixels`. Prints for each `WIDTH HEIGHT`, or why it is refused. `tests/images/grid.py` compares them with
//! Pillow's.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs, io};

use pvlu_zoo::image::Image;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::args_os().nth(1).ok_or("expected a folder to write to")?);
    for (index, path) in io::stdin().lines().enumerate() {
        match Image::open(path?) {
            Ok(image) => {
                fs::write(out.join(format!("{index}.rgb")), image.pixels())?;
                println!("{} {}", image.width(), image.height());
            }
            Err(error) => println!("refused: {error}"),
        }
    }
    Ok(())
}
