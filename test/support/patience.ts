/** How long a test waits for what takes milliseconds on a quiet machine: only a defect takes longer, whatever else runs there. */
export const PATIENCE_MS = 15_000;
