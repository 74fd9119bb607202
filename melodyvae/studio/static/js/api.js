// The server's API. Every request carries the token from the page's address and goes to this machine only.

const address = new URL(location.href);
const token = address.searchParams.get("token") ?? "";
const page = crypto.randomUUID();

export class ApiError extends Error {}

/** The server does not keep a file any more; `reference` says which. */
export class Missing extends Error {
  constructor(reference) {
    super("the studio does not have the file of this tune any more; drop it again");
    this.reference = reference;
  }
}

/** A newer request took this one's place, or it was cancelled. */
export class Stale extends Error {}

async function ask(path, { method = "GET", body, type, signal } = {}) {
  const headers = { "x-studio-token": token };
  if (type) headers["content-type"] = type;
  let answer;
  try {
    answer = await fetch(path, { method, body, headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw new Stale("cancelled");
    throw new ApiError("The studio does not answer. Is `melodyvae studio` still running in its terminal?");
  }
  if (!answer.ok) {
    const text = await answer.text();
    let sentence = text.trim();
    try {
      sentence = JSON.parse(text).error ?? sentence;
    } catch {
      // a plain sentence
    }
    throw new ApiError(sentence || `the server answered ${answer.status}`);
  }
  return answer;
}

export const state = async () => (await ask("/api/state")).json();

export const soundfont = async () => (await ask("/api/soundfont")).arrayBuffer();

/** A piece from bytes, from an example or from an opened file; `choice` is {track, bar, bars}. */
export async function read(source, choice = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(choice)) if (value) query.set(name, value);
  if (source.example !== undefined) {
    return (await ask(`/api/example/${source.example}?${query}`, { method: "POST" })).json();
  }
  if (source.opened !== undefined) {
    return (await ask(`/api/opened/${source.opened}?${query}`, { method: "POST" })).json();
  }
  query.set("name", source.file);
  return (await ask(`/api/read?${query}`, { method: "POST", body: source.bytes })).json();
}

/** The result of a verb. `names` are those of the files in the shell command. */
export async function perform(verb, request, { signal, onProgress, names } = {}) {
  const query = new URLSearchParams({ page });
  if (names) {
    query.set("command", "1");
    for (const name of names) query.append("file", name);
  }
  const answer = await ask(`/api/do/${verb}?${query}`, {
    method: "POST",
    body: JSON.stringify(request),
    type: "application/json",
    signal,
  });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let said = null;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      rest += value;
      const lines = rest.split("\n");
      rest = lines.pop();
      for (const line of lines.filter(Boolean)) {
        said = JSON.parse(line);
        if ("progress" in said) onProgress?.(said.progress);
      }
    }
  } catch (error) {
    if (error.name === "AbortError") throw new Stale("cancelled");
    throw error;
  }
  // What counts is the last line; the answer is read to its end, so that its connection is free again.
  if (said?.result) return said.result;
  if (said?.missing) throw new Missing(said.missing);
  if (said?.stale) throw new Stale("a newer request took its place");
  throw new ApiError(said?.error ?? "The studio broke off its answer.");
}

const post = (path, request) =>
  ask(path, { method: "POST", body: JSON.stringify(request), type: "application/json" });

/** One MIDI file of melodies in a row; `backings` are the parts that play with each. */
export const midi = async (melodies, backings) => (await post("/api/midi", { melodies, ...withBackings(backings) })).blob();

export const zip = async (melodies, names, backings) =>
  (await post("/api/zip", { melodies, names, ...withBackings(backings) })).blob();

const withBackings = (backings) =>
  backings?.some((parts) => parts?.length) ? { backings: backings.map((parts) => parts ?? []) } : {};

export const saveSession = async (id, session) =>
  ask(`/api/session/${id}`, { method: "PUT", body: JSON.stringify(session), type: "application/json" });

/** A saved session; null where there is none. */
export async function loadSession(id) {
  const answer = await fetch(`/api/session/${id}`, { headers: { "x-studio-token": token } });
  return answer.ok ? answer.json() : null;
}
