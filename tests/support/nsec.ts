/** The form of a secret key that people know, `nsec1…`: tests write what the program only reads. */
export { nsecEncode as nsec } from "nostr-tools/nip19";
