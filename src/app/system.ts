/** The machine's clock and chance, as the parts of the application name them. */
export { systemClock, systemRandom } from "../host/system.ts";
