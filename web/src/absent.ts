// Stands where a package is left out of the page on purpose (see vite.config.ts).
export {};
