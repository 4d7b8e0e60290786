// What is looked at lives in the address: #/usage?range=90d&by=app. It can be sent to others.

export function read() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  return { view: path || 'breakeven', q: new URLSearchParams(query || '') };
}

export function href(view, q) {
  const text = q.toString();
  return `#/${view}${text ? `?${text}` : ''}`;
}

// Change parameters of the view at hand; null or '' removes one. `quiet` adds no history entry.
export function set(changes, quiet) {
  const { view, q } = read();
  for (const [k, v] of Object.entries(changes)) {
    if (v === null || v === undefined || v === '') q.delete(k); else q.set(k, v);
  }
  const to = href(view, q);
  if (to === location.hash) return;
  if (quiet) history.replaceState(null, '', to); else location.hash = to;
}
