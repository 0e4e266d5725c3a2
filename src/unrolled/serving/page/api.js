// Requests to the server: JSON, and server-sent events.

const TOKEN = "unrolled token";

export class Refused extends Error {
  constructor(status, kind, message) {
    super(message);
    this.status = status;
    this.kind = kind;
  }
}

export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

async function request(path, { body, type = "application/json", signal } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": type };
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  const sent = body === undefined || type !== "application/json" ? body : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body: sent, signal });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new Refused(0, "away", "the server is not reachable");
  }
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({ error: { kind: "other", message: answer.statusText } }));
    throw new Refused(answer.status, error.kind, error.message);
  }
  return answer;
}

export async function ask(path, options) {
  return (await request(path, options)).json();
}

// Server-sent events, as pairs of a name and a value.
export async function* events(path, options) {
  const reader = (await request(path, options)).body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (waiting + value).split("\n\n");
    waiting = parts.pop();
    for (const part of parts) {
      const [name, data] = part.split("\n");
      yield [name.slice("event: ".length), JSON.parse(data.slice("data: ".length))];
    }
  }
}
