//! Pages of evicted chunks that were read lately, of all traces.
//!
//! Two generations: what is read goes into the young one. When that is half of what there may be, it becomes the old one,
//! and what nobody asked for in the old one since is forgotten.

use std::sync::{Arc, Mutex, MutexGuard};

use hashbrown::HashMap;

use super::fixed_rows::FixedRows;

/// The chunk's number, the page in it.
pub type PageId = (u64, u32);

#[derive(Default)]
pub struct PageCache {
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    young: HashMap<PageId, Arc<FixedRows>>,
    old: HashMap<PageId, Arc<FixedRows>>,
    young_bytes: usize,
    old_bytes: usize,
    most: usize,
}

impl PageCache {
    /// So many bytes at most from now on.
    pub fn limit(&self, bytes: usize) {
        let mut pages = self.lock();
        pages.most = bytes;
        while pages.young_bytes + pages.old_bytes > pages.most {
            pages.turn();
        }
    }

    /// Hands those that are there to `take`, and leaves the others in `wanted`.
    pub fn find(&self, wanted: &mut Vec<PageId>, mut take: impl FnMut(PageId, Arc<FixedRows>)) {
        let mut pages = self.lock();
        wanted.retain(|page| {
            let found = pages.get(*page);
            let missing = found.is_none();
            found.into_iter().for_each(|rows| take(*page, rows));
            missing
        });
    }

    pub fn keep(&self, page: PageId, rows: &Arc<FixedRows>) {
        self.lock().put(page, rows.clone());
    }

    pub fn bytes(&self) -> usize {
        let pages = self.lock();
        pages.young_bytes + pages.old_bytes
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().expect("no thread panics while it holds pages")
    }
}

impl Pages {
    fn get(&mut self, page: PageId) -> Option<Arc<FixedRows>> {
        if let Some(rows) = self.young.get(&page) {
            return Some(rows.clone());
        }
        let rows = self.old.remove(&page)?;
        self.old_bytes -= rows.bytes();
        self.put(page, rows.clone());
        Some(rows)
    }

    fn put(&mut self, page: PageId, rows: Arc<FixedRows>) {
        let bytes = rows.bytes();
        if bytes > self.most / 2 {
            return;
        }
        if self.young_bytes + bytes > self.most / 2 {
            self.turn();
        }
        self.young_bytes += bytes;
        if let Some(before) = self.young.insert(page, rows) {
            self.young_bytes -= before.bytes();
        }
    }

    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
        self.old_bytes = std::mem::take(&mut self.young_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zset::text::parse;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let cache = PageCache::default();
        let rows = Arc::new(FixedRows::counted(parse("k int8", "1 +1").rows().clone(), &[0], 100).unwrap());
        cache.limit(1000);
        let has = |page: u32| {
            let mut wanted = vec![(0, page)];
            cache.find(&mut wanted, |_, _| ());
            wanted.is_empty()
        };
        for page in 0..100 {
            cache.keep((0, page), &rows);
            assert!(has(0) && has(page) && cache.bytes() <= 1000, "page {page}");
        }
        assert!(!has(50) && !has(200));
        cache.limit(0);
        assert_eq!((cache.bytes(), has(0)), (0, false));
        cache.keep((0, 1), &rows);
        assert_eq!(cache.bytes(), 0);
    }
}
