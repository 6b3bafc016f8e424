//! The work of a round: two clients that know what they were told, and two files that grow beside them.
//!
//! What step `n` does depends on the seed and on `n` alone, so the content of every table after any number of steps is known.
//! A statement whose answer did not come has been done or not, and what is found after a restart decides which.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;

use crate::support::client::{Answer, runtime};
use crate::support::shop::{self, Shop};
use crate::support::{Sql, SqlError};
use crate::world::{ACCOUNTS, EXTRA, World};

/// Steps of a whole round.
pub const STEPS: i64 = 16;
/// A CHECKPOINT waits for three lakes. While some of a disk's calls fail, the storage client waits a second and more for each until
/// it has tried enough: nothing stands still, but it takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Work {
    seed: u64,
    pub shop: Shop,
    pub clicks: usize,
    pub steps: Told,
    pub tally: Told,
    /// Whether the view that comes and goes is there; `None` when a definition was not answered.
    pub extra: Option<bool>,
    /// The most that a reader has seen.
    pub seen: Seen,
}

/// Numbers that are written one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    pub acknowledged: i64,
    pub tried: i64,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub clicks: i64,
    pub tally: i64,
}

/// What one step writes.
pub struct Transfer {
    pub giver: i64,
    pub taker: i64,
    pub amount: i64,
}

impl Work {
    pub fn new(seed: u64) -> Work {
        let none = Told::default();
        Work { seed, shop: Shop::new(seed), clicks: 0, steps: none, tally: none, extra: Some(false), seen: Seen::default() }
    }

    pub fn transfer(&self, step: i64) -> Transfer {
        let mut random = shop::random(self.seed ^ step as u64);
        let giver = random.random_range(0..ACCOUNTS);
        Transfer { giver, taker: (giver + random.random_range(1..ACCOUNTS)) % ACCOUNTS, amount: random.random_range(1..100) }
    }

    /// `id|owner|balance` of every account after so many steps.
    pub fn accounts_after(&self, steps: i64) -> Vec<String> {
        let mut balances: BTreeMap<i64, i64> = (0..ACCOUNTS).map(|id| (id, 1000)).collect();
        for step in 1..=steps {
            let Transfer { giver, taker, amount } = self.transfer(step);
            *balances.entry(giver).or_default() -= amount;
            *balances.entry(taker).or_default() += amount;
        }
        balances.iter().map(|(id, balance)| format!("{id}|owner {}|{balance}", id % 3)).collect()
    }

    /// `id|beginning|length` of every note after so many steps: each is there for two steps.
    pub fn notes_after(&self, steps: i64) -> Vec<String> {
        let note = |step: i64| format!("{step}|note {step}|{}", format!("note {step}").len() + Work::padding(step));
        (1..=steps).filter(|step| *step > steps - 2).map(note).collect()
    }

    /// Some notes are so long that a checkpoint lays them down ahead of its write.
    fn padding(step: i64) -> usize {
        if step % 3 == 0 { 1_000_000 } else { 0 }
    }

    fn statement(&self, step: i64) -> String {
        let Transfer { giver, taker, amount } = self.transfer(step);
        format!(
            "BEGIN; INSERT INTO ledger VALUES ({step}, {giver}, {taker}, {amount}); \
             UPDATE accounts SET balance = balance - {amount} WHERE id = {giver}; \
             UPDATE accounts SET balance = balance + {amount} WHERE id = {taker}; \
             INSERT INTO notes VALUES ({step}, 'note {step}' || repeat('x', {})); \
             DELETE FROM notes WHERE id = {}; COMMIT",
            Work::padding(step),
            step - 2
        )
    }

    /// Works up to and with step `last`, or until floe fails a client: then says how.
    pub fn go(&mut self, world: &World, address: &str, last: i64) -> Result<(), SqlError> {
        let stop = AtomicBool::new(false);
        let (mut tally, mut seen) = (self.tally, self.seen);
        let worked = std::thread::scope(|scope| {
            let other = scope.spawn(|| Work::count(address, &stop, &mut tally, &mut seen));
            let worked = self.steps(world, address, last);
            stop.store(true, Ordering::SeqCst);
            let counted = other.join().expect("the second client's thread");
            worked.and(counted)
        });
        (self.tally, self.seen) = (tally, seen);
        worked
    }

    fn steps(&mut self, world: &World, address: &str, last: i64) -> Result<(), SqlError> {
        let sql = Sql::connect(address)?;
        for step in self.steps.acknowledged + 1..=last {
            self.shop.write(&world.orders(), 3);
            self.click(world, 5);
            self.steps.tried = step;
            ask(&sql, &self.statement(step))?;
            self.steps.acknowledged = step;
            match step % 8 {
                2 | 5 => self.redefine(&sql, step % 8 == 2)?,
                // What a checkpoint says of the sinks may be that one of them is being tried again.
                4 => drop(ask(&sql, "CHECKPOINT").or_else(told)?),
                7 => drop(ask(&sql, "FLUSH").or_else(told)?),
                _ => std::thread::sleep(Duration::from_millis(15)),
            }
        }
        Ok(())
    }

    fn redefine(&mut self, sql: &Sql, there: bool) -> Result<(), SqlError> {
        self.extra = None;
        ask(
            sql,
            &match there {
                true => format!("CREATE MATERIALIZED VIEW IF NOT EXISTS {} AS {}", EXTRA.0, EXTRA.1),
                false => format!("DROP MATERIALIZED VIEW IF EXISTS {}", EXTRA.0),
            },
        )?;
        self.extra = Some(there);
        Ok(())
    }

    fn click(&mut self, world: &World, lines: usize) {
        let from = self.clicks + 1;
        self.clicks += lines;
        let text: String = (from..=self.clicks).map(|n| format!("{{\"user_id\":{n},\"url\":\"/{}\"}}\n", n % 7)).collect();
        let mut file = std::fs::OpenOptions::new().append(true).open(world.clicks()).expect("clicks");
        file.write_all(text.as_bytes()).expect("written");
    }

    /// The second client: writes one row after the other, and reads what is there.
    fn count(address: &str, stop: &AtomicBool, tally: &mut Told, seen: &mut Seen) -> Result<(), SqlError> {
        let sql = Sql::connect(address)?;
        while !stop.load(Ordering::SeqCst) {
            tally.tried = tally.acknowledged + 1;
            ask(&sql, &format!("INSERT INTO tally VALUES ({})", tally.tried))?;
            tally.acknowledged = tally.tried;
            let answer = ask(&sql, "SELECT (SELECT sum(n) FROM urls), (SELECT n FROM tallied)")?;
            let number = |column: usize| answer.rows.first().and_then(|row| row[column].as_ref()?.parse().ok()).unwrap_or(0);
            *seen = Seen { clicks: seen.clicks.max(number(0)), tally: seen.tally.max(number(1)) };
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// The answer, an error, or an error that says that none came.
pub fn ask(sql: &Sql, statement: &str) -> Result<Answer, SqlError> {
    let late = |_| Err(SqlError { message: format!("no answer within {PATIENCE:?}: {statement}"), ..SqlError::default() });
    runtime().block_on(async { tokio::time::timeout(PATIENCE, sql.send(statement)).await.unwrap_or_else(late) })
}

/// An error that floe itself told is an answer as well, unless it is one of its own state: that of a sink, and that a
/// checkpoint is durable and could not be kept.
fn told(error: SqlError) -> Result<Answer, SqlError> {
    if error.sqlstate == "08006" || error.message.contains("could not be kept") { Ok(Answer::default()) } else { Err(error) }
}
