// The numbers of the charts as text, for those who cannot see a chart: each a link to the posts behind it.

const LISTED = 400;

// Replaces what is in `place`, and keeps the focus where it was: on what has the same key.
export function keepingFocus(place, replace) {
  const key = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  replace();
  if (key) place.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

// `postsUrl(one, at)` is the address behind one number: of a series, or of the denominator where `one` is null.
export function fillTable(place, answer, measure, postsUrl) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  cell(head, answer.grain === "day" ? "Day (UTC)" : "Start (UTC)", "th");
  for (const one of answer.series) cell(head, one[answer.by], "th", "num");
  cell(head, "of", "th", "num");
  const body = table.createTBody();
  const unlisted = Math.max(0, answer.periods.length - LISTED);
  const link = (one, at, text) => {
    const made = document.createElement("a");
    made.href = postsUrl(one, at);
    made.dataset.key = `${answer.periods[at]} ${one ? one[answer.by] : ""}`;
    made.textContent = text;
    return made;
  };
  for (let at = answer.periods.length - 1; at >= unlisted; at -= 1) {
    const row = body.insertRow();
    cell(row, answer.periods[at], "th");
    for (const one of answer.series) {
      const made = cell(row, "", "td", "num");
      if (one.n[at] === null) {
        made.textContent = Date.parse(answer.periods[at]) > Date.now() ? "not begun" : "missing";
      } else {
        made.append(link(one, at, measure === "n" ? one.n[at].toLocaleString("en") : percent(one.share[at])));
      }
    }
    const total = cell(row, answer.totals[at] === null ? "–" : "", "td", "num");
    if (answer.totals[at] !== null) total.append(link(null, at, answer.totals[at].toLocaleString("en")));
  }
  // an answer of later whose numbers are the same must not take the table from under its reader
  if (place.firstElementChild?.isEqualNode(table)) return;
  keepingFocus(place, () => place.replaceChildren(table));
  if (unlisted) place.append(`Only the last ${LISTED} periods are listed here; the CSV of the API has all.`);
}

function cell(row, text, tag, name) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  if (tag === "th") made.scope = row.parentNode.tagName === "THEAD" ? "col" : "row";
  row.append(made);
  return made;
}

// A share as a percentage, in the server's words (`percent` of webapp/pages.py): half of the last digit goes up.
export function percent(part) {
  return part === null ? "–" : `${(Math.floor(part * 1000 + 0.5) / 10).toFixed(1)}%`;
}
