// ISO 8601 durations as resources.json and the command line write them: PT1M, PT10M, P1DT12H.

const PATTERN = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** The duration in milliseconds. */
export function milliseconds(text) {
  const match = PATTERN.exec(text);
  if (!match || match.slice(1).every((part) => part === undefined)) {
    throw new Error(`"${text}" is not a duration like PT1M or P1DT12H`);
  }
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000);
}
