//! The HTTPS listener: API operations, browser signaling, the page.
