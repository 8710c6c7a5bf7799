/** File extensions and media types. Browsers believe the type alone: see `nosniff` in `exchange.ts`. */

/** The file extension that goes with a media type; `bin` for most. */
export function extensionOf(mediaType: string): string {
  return EXTENSIONS.get(mediaType.split(";")[0]!.trim().toLowerCase()) ?? "bin";
}

/** The media type that goes with a file's name. */
export function mediaTypeByName(name: string): string {
  const extension = /\.([A-Za-z0-9]{1,8})$/.exec(name)?.[1]?.toLowerCase() ?? "";
  return TYPES.get(extension) ?? "application/octet-stream";
}

const PAIRS: readonly (readonly [type: string, ...extensions: string[]])[] = [
  ["application/dash+xml", "mpd"],
  ["application/gzip", "gz"],
  ["application/json", "json"],
  ["application/pdf", "pdf"],
  ["application/vnd.apple.mpegurl", "m3u8"],
  ["application/zip", "zip"],
  ["audio/aac", "aac"],
  ["audio/flac", "flac"],
  ["audio/mp4", "m4a"],
  ["audio/mpeg", "mp3"],
  ["audio/ogg", "ogg", "opus"],
  ["audio/wav", "wav"],
  ["image/avif", "avif"],
  ["image/gif", "gif"],
  ["image/jpeg", "jpg", "jpeg"],
  ["image/png", "png"],
  ["image/svg+xml", "svg"],
  ["image/webp", "webp"],
  ["text/css", "css"],
  ["text/html", "html"],
  ["text/markdown", "md"],
  ["text/plain", "txt"],
  ["text/vtt", "vtt"],
  ["video/iso.segment", "m4s"],
  ["video/mp2t", "ts"],
  ["video/mp4", "mp4", "m4v"],
  ["video/quicktime", "mov"],
  ["video/webm", "webm"],
  ["video/x-matroska", "mkv"],
];

const EXTENSIONS: ReadonlyMap<string, string> = new Map(
  PAIRS.map(([type, extension]) => [type, extension!]),
);

const TYPES: ReadonlyMap<string, string> = new Map(
  PAIRS.flatMap(([type, ...extensions]) => extensions.map((extension) => [extension, type])),
);
