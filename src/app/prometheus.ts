/** The one file that imports prom-client. */
export { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Buckets of durations, in seconds: from a request to a fetch of gigabytes. */
export const SECONDS_BUCKETS: number[] = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300];
