/**
 * SSH of leases: host keys that we make and their fingerprints, the keys that lessees send, the server
 * that is put into an image without one, and the banner that says that it answers.
 *
 * May import `src/core`, `provisioning/machine`, `provisioning/unpack`, `provisioning/ports.ts`.
 */
export { authorizedKeysText, readPublicKey } from "./authorized_keys.ts";
export { awaitBanner, type BannerTarget, readBanner } from "./banner.ts";
export { dropbearKey, fingerprintOf, type HostKey, makeHostKey, readHostKey } from "./host_key.ts";
export {
  CONTINUE_ALL,
  END_ALL,
  type FirstProcess,
  firstProcess,
  HALT_ALL,
} from "./first_process.ts";
export { PASSWORD_CHARS_MAX } from "./limits.ts";
export { prepareLogin } from "./login.ts";
export { hashPassword, sha512Crypt } from "./password_hash.ts";
export { dropbearPath, serverArguments, type ServerBundle, serverBundle } from "./server_bundle.ts";
