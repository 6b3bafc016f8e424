//! `floe generate`: made-up data in files.
//!
//! `shop` is a shop that is open for a while, as the change log that Debezium would ship of its tables. It writes `orders.jsonl`, `customers.jsonl` (the file connector, FORMAT DEBEZIUM) and `clicks.jsonl` (FORMAT PLAIN) into a
//! folder, a little every tenth of a second, so that whoever follows the files sees them grow. The same seed writes the
//! same records.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::nexmark::{self, NexmarkFlags};
use super::orders::{self, OrdersFlags};
use crate::sources::datagen::shop::{Shop, ShopOptions};

#[derive(Args, Debug)]
pub struct GenerateFlags {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Orders, customers and clicks of a shop, a little every tenth of a second
    Shop(ShopFlags),
    /// The stream of the Nexmark benchmark, as fast as it can be written
    Nexmark(NexmarkFlags),
    /// The change log of a large table as Debezium ships it, as fast as it can be written
    Orders(OrdersFlags),
}

#[derive(Args, Debug)]
struct ShopFlags {
    /// The folder that gets the files; what is in them stays, new records are appended
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// How long the shop is open
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u64,
    /// Changes a second
    #[arg(long, value_name = "N", default_value_t = 400)]
    rate: u64,
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Leaves out the schema that Debezium's default converter puts into each message
    #[arg(long)]
    no_schema: bool,
}

const STEPS_PER_SECOND: u64 = 10;

pub fn run(flags: GenerateFlags) -> ExitCode {
    let (folder, written) = match &flags.what {
        What::Shop(flags) => (&flags.folder, shop(flags)),
        What::Nexmark(flags) => (&flags.dir, nexmark::write(flags)),
        What::Orders(flags) => (&flags.dir, orders::write(flags)),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write into {}: {error}\nhint: name a folder that is there and can be written", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn shop(flags: &ShopFlags) -> io::Result<()> {
    let open = |name: &str| append(&flags.folder.join(name));
    let (mut orders, mut customers, mut clicks) = (open("orders.jsonl")?, open("customers.jsonl")?, open("clicks.jsonl")?);
    let options = ShopOptions { seed: flags.seed, with_schema: !flags.no_schema, ..ShopOptions::default() };
    let mut shop = Shop::new(options);
    shop.write_snapshot(&mut customers)?;
    let begin = Instant::now();
    let steps = flags.seconds.saturating_mul(STEPS_PER_SECOND);
    let mut clicked = 0;
    for step in 0..steps {
        // So many by now, whatever the rate divided by ten leaves over.
        let due = |step: u64| step.saturating_mul(flags.rate) / STEPS_PER_SECOND;
        let events = due(step + 1) - due(step);
        shop.write(events, &mut orders, &mut customers)?;
        for _ in 0..events {
            clicked += 1;
            let (minute, second) = (clicked / 60 % 60, clicked % 60);
            writeln!(
                clicks,
                r#"{{"user_id":{},"url":"/page/{}","ts":"2026-01-01 00:{minute:02}:{second:02}"}}"#,
                clicked % 997,
                clicked % 23
            )?;
        }
        for file in [&mut orders, &mut customers, &mut clicks] {
            file.flush()?;
        }
        let next = Duration::from_millis((step + 1) * 1000 / STEPS_PER_SECOND);
        std::thread::sleep(next.saturating_sub(begin.elapsed()));
    }
    Ok(())
}

fn append(path: &Path) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::new(OpenOptions::new().create(true).append(true).open(path)?))
}
