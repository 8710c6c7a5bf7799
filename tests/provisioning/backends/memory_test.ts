/** The twin that the provider's and the lessee's tests stand on keeps to what engines must do. */
import { testBackend } from "../../conformance/backend.ts";
import { MemoryBackend } from "../../support/provisioning/memory_backend.ts";
import { imageOf } from "../../support/provisioning/tar.ts";

const backend = new MemoryBackend();

testBackend("MemoryBackend", () =>
  Promise.resolve({
    backend,
    image: imageOf([]),
    firstPort: 33_000,
    again: () => Promise.resolve(new MemoryBackend(backend.instances)),
  }), { isReal: false });
