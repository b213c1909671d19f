// Asks the dashboard's server; where no answer comes, says why in its words or in ours.

// What the server read longer ago than this it does not call live (STALE_AFTER of webapp/view.py), so neither does a
// page that waits for it: the server may be frozen, or the way to it cut, and nothing else would ever tell.
const PATIENCE_MS = 15000;

const STILL = "The numbers below stand still until it is back.";

// There is no answer; the message is what a reader is told.
export class Unanswered extends Error {}

export async function fetched(url) {
  const [response, text] = await heard(url);
  if (response.ok) return text;
  const status = `${response.status} ${response.statusText}`.trim();
  throw new Unanswered(reason(text) ?? `"${status}" comes instead of an answer of the dashboard's server. ${STILL}`);
}

async function heard(url) {
  try {
    const headers = { Accept: "application/json, text/html" };
    const response = await fetch(url, { cache: "no-cache", headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    return [response, await response.text()];
  } catch (error) {
    throw new Unanswered(`The dashboard's server does not answer. ${STILL}`, { cause: error });
  }
}

// Why the server does not answer, as its page or its API says it; null where that is not from our server.
function reason(text) {
  const told = new DOMParser().parseFromString(text, "text/html").querySelector("main p");
  if (told) return told.textContent;
  try {
    return JSON.parse(text).error ?? null;
  } catch {
    return null; // the page of a proxy, or nothing
  }
}
