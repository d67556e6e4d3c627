//! The streams under one key, found by SSRC: a list searched from its end, where the live ones are.

use super::GuardError;
use super::window::Window;

/// Streams that may arrive under one key. A browser that toggles its camera all day uses a new SSRC each time.
pub const MAX_SSRCS: usize = 256;
/// Streams that we may send under one key: each change of what a tile shows is a new one.
pub(super) const MAX_SENT_SSRCS: usize = 8192;
/// Streams with room from the start; more are made room for when an authentic one appears.
const AT_FIRST: usize = 4;

/// Windows of RTP or RTCP indices by SSRC. Numbers and windows are kept apart so that the search reads
/// one cache line for sixteen streams.
pub(super) struct Streams {
    ssrcs: Vec<u32>,
    windows: Vec<Window>,
    fresh: Window,
    most: usize,
}

impl Streams {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            ssrcs: Vec::with_capacity(AT_FIRST),
            windows: Vec::with_capacity(AT_FIRST),
            fresh: Window::default(),
        }
    }

    /// The window of a stream; an unused one for a stream that is not known.
    pub(super) fn window(&self, ssrc: u32) -> &Window {
        self.place(ssrc)
            .and_then(|at| self.windows.get(at))
            .unwrap_or(&self.fresh)
    }

    /// Marks an index of a stream as used, entering the stream where it is new. Only for what was
    /// authenticated, or is sent.
    pub(super) fn mark(&mut self, ssrc: u32, index: u64) -> Result<(), GuardError> {
        let at = match self.place(ssrc) {
            Some(at) => at,
            None => {
                if self.ssrcs.len() >= self.most {
                    return Err(GuardError::TooManySsrcs);
                }
                self.ssrcs.push(ssrc);
                self.windows.push(Window::default());
                self.ssrcs.len() - 1
            }
        };
        if let Some(window) = self.windows.get_mut(at) {
            window.mark(index);
        }
        Ok(())
    }

    /// How many streams are known.
    pub(super) fn len(&self) -> usize {
        self.ssrcs.len()
    }

    fn place(&self, ssrc: u32) -> Option<usize> {
        self.ssrcs.iter().rposition(|s| *s == ssrc)
    }
}
