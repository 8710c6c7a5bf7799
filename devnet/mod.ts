/**
 * The demo's own world: processes of the node, an origin web server, a seeder that lies. For the demo
 * and the tests; nothing in the product imports it.
 *
 * Vocabulary: an *act* shows one thing and tells whether it worked; the *world* is what runs meanwhile.
 * May import: core, nostr, the swarm. Of the application it uses only the command, `node.ts`.
 */
export * from "./processes.ts";
export * from "./world.ts";
