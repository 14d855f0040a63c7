//! The structure of a row, checked as its bytes come.

/// Where a row stands: a count of columns, then for each its length and its bytes.
#[derive(Debug, Default)]
pub(super) struct RowWalk {
    /// The bytes of a number that is not complete.
    number: [u8; 4],
    have: usize,
    /// How many columns the row has, once that is known.
    count: Option<u16>,
    /// How many of them have begun.
    begun: u16,
    /// How many bytes of the column are still to come.
    left: usize,
    /// How many bytes of the row are still to come.
    rest: usize,
}

impl RowWalk {
    /// A row of this many bytes.
    pub(super) fn of(rest: usize) -> Self {
        Self { rest, ..Self::default() }
    }

    /// Reads bytes of the row; an error says what is wrong.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let step = self.left.min(bytes.len());
                self.left -= step;
                self.rest -= step;
                bytes = &bytes[step..];
                continue;
            }
            self.number[self.have] = bytes[0];
            self.have += 1;
            self.rest -= 1;
            bytes = &bytes[1..];
            match (self.count, self.have) {
                (None, 2) => {
                    self.count = Some(u16::from_be_bytes([self.number[0], self.number[1]]));
                    self.have = 0;
                }
                (Some(count), 4) => self.begin_column(count)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn begin_column(&mut self, count: u16) -> Result<(), &'static str> {
        self.have = 0;
        if self.begun == count {
            return Err("a row goes on after its last column");
        }
        self.begun += 1;
        match i32::from_be_bytes(self.number) {
            -1 => self.left = 0,
            length => {
                self.left =
                    usize::try_from(length).map_err(|_| "a column has a negative length")?;
            }
        }
        if self.left > self.rest {
            return Err("a column is longer than its row");
        }
        Ok(())
    }

    /// Whether the row has all its columns.
    pub(super) fn is_complete(&self) -> bool {
        self.count == Some(self.begun) && self.left == 0 && self.have == 0
    }
}
