/** The one file of this layer that imports valibot: schemas of settings and of control requests. */
export * as v from "valibot";
