/** The clocks of clients and nodes may differ by this many seconds; what expires counts for so much longer. */
export const CLOCK_TOLERANCE_S = 60;
