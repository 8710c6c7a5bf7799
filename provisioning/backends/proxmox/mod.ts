/**
 * Leases on Proxmox VE: an unprivileged container each, through its REST interface with an API token.
 * Tested against a server of ours that answers as Proxmox's source and documentation say; never yet against
 * Proxmox itself, which no package of Debian has.
 *
 * Vocabulary: a container's description is its lease's *record*; an image becomes a *template*, with our SSH
 * server in it; the *forwarder* passes connections to published ports on.
 *
 * May import `src/core`, `provisioning/{machine,ssh,unpack}`, `provisioning/ports.ts`, `../host`.
 */
export { ProxmoxBackend, type ProxmoxOptions } from "./backend.ts";
export { addressOf, containerForm, firewallRules } from "./container.ts";
export { type ProxmoxPlace, readKey, readPlace } from "./place.ts";
