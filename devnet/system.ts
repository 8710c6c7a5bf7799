/** The machine's clock and chance, as the development network names them. */
export { systemClock as devnetClock, systemRandom as devnetRandom } from "../src/host/system.ts";
