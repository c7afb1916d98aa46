//! Line numbers across blocks, to name the places of bad lines: each reader counts the lines of its blocks, and blocks come
//! back in any order.

use std::collections::BTreeMap;

/// A block that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockCount {
    /// Number of its file.
    pub(super) file: usize,
    /// Its number in all files.
    pub(super) number: u64,
    /// Lines that ended in it.
    pub(super) lines: u64,
    /// A bad line of it is named, so the lines before it are wanted.
    pub(super) names_bad: bool,
}

/// Blocks so far.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// The first block that did not come back.
    next: u64,
    /// The file of the one before it.
    file: usize,
    /// Lines of that file, so far.
    lines: u64,
    /// Blocks that came back before their turn: no more than there are readers.
    early: BTreeMap<u64, BlockCount>,
    /// Lines of its file before each block with a bad line that is named.
    before: BTreeMap<u64, u64>,
}

// === impl Counting ===

impl Counting {
    pub(super) fn add(&mut self, block: BlockCount) {
        self.early.insert(block.number, block);
        while let Some(block) = self.early.remove(&self.next) {
            if block.file != self.file {
                (self.file, self.lines) = (block.file, 0);
            }
            if block.names_bad {
                self.before.insert(block.number, self.lines);
            }
            self.lines += block.lines;
            self.next += 1;
        }
    }

    /// Lines of its file before the block of this number, which has a bad line.
    pub(super) fn before(&self, number: u64) -> u64 {
        self.before.get(&number).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_before_a_block_are_those_of_the_blocks_before_it_in_its_file() {
        let block = |file, number, lines| BlockCount { file, number, lines, names_bad: number % 2 == 0 };
        let blocks = [block(0, 0, 5), block(0, 1, 7), block(0, 2, 1), block(1, 3, 9), block(1, 4, 2), block(3, 5, 1)];
        for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 5, 1, 4, 3]] {
            let mut counting = Counting::default();
            for at in order {
                counting.add(blocks[at]);
            }
            assert_eq!([0, 2, 4].map(|number| counting.before(number)), [0, 12, 9]);
            assert!(counting.early.is_empty() && counting.before.len() == 3);
        }
    }
}
