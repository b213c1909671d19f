// The charts: a pie of the mix and lines by period. A period without an answer is null, and is drawn as a gap.
import { percent } from "./tables.js";

const drawn = new Map();

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Each category has a colour of its own wherever it is drawn; brands take theirs by their place in the list.
export function colour(name, names) {
  return (/^[a-z]+$/.test(name) && css(`--${name}`)) || css(`--o${Math.max(0, names.indexOf(name)) % 10}`);
}

function chart(place) {
  if (!window.echarts) {
    place.textContent = "The chart library is missing; the tables hold the same numbers.";
    return null;
  }
  let made = window.echarts.getInstanceByDom(place);
  if (!made) {
    made = window.echarts.init(place);
    new ResizeObserver(() => made.resize()).observe(place);
  }
  return made;
}

function put(place, make, question) {
  const made = chart(place);
  if (!made) return;
  // what somebody hid stays hidden while numbers and places move; another question begins with all of its lines
  const others = drawn.has(place) && drawn.get(place).question !== question;
  drawn.set(place, { make, question });
  made.setOption(make(), { replaceMerge: others ? ["series", "legend"] : ["series"] });
}

export function redrawAll() {
  for (const [place, { make, question }] of drawn) if (place.isConnected) put(place, make, question);
}

const SLICES = 12;

// The largest slices, and the others as one: a name needs room to be read. `more` posts of the mix have no slice.
function largest(slices, more) {
  const many = slices.length > SLICES ? slices.slice(SLICES - 1) : [];
  const sum = many.reduce((total, one) => total + one.value, more);
  if (sum === 0) return slices;
  const name = more ? "all others" : `${many.length} others`;
  return [...slices.slice(0, slices.length - many.length), { name, value: sum, itemStyle: { color: css("--missing") } }];
}

// `open(name)` is called with the name of the slice that was clicked.
export function drawPie(place, all, more, open) {
  const slices = largest(all, more);
  const whole = slices.reduce((sum, one) => sum + one.value, 0);
  const narrow = place.clientWidth < 440; // no room for names beside the pie: they go below it
  put(place, () => ({
    animation: false,
    textStyle: { fontFamily: css("--font"), color: css("--text") },
    tooltip: {
      trigger: "item", renderMode: "richText", confine: true,
      formatter: (hit) => `${hit.name}: ${hit.value.toLocaleString("en")} posts\n${percent(hit.value / whole)} of the mix`,
    },
    legend: { show: narrow, type: "scroll", bottom: 0, icon: "roundRect", itemWidth: 12, itemHeight: 12, textStyle: { color: css("--text") } },
    series: [{
      type: "pie", radius: narrow ? ["34%", "72%"] : ["32%", "58%"], center: ["50%", narrow ? "46%" : "50%"], startAngle: 0, data: slices,
      itemStyle: { borderColor: css("--card"), borderWidth: 2, borderRadius: 4 },
      label: { show: !narrow, color: css("--text"), formatter: (hit) => `${hit.name} ${percent(hit.value / whole)}`, fontSize: 12 },
      labelLine: { show: !narrow, length: 10, length2: 8, lineStyle: { color: css("--muted") } },
    }],
  }));
  const made = chart(place);
  made?.off("click");
  made?.on("click", (hit) => open(hit.name));
}

const NEAR = 24;

// Calls `open(one, at)` with the series and the place of the period whose point lies nearest to a click.
function opensPoints(place, answer, measure, open) {
  const made = chart(place);
  if (!made) return;
  made.getZr().off("click");
  made.getZr().on("click", ({ offsetX, offsetY }) => {
    let nearest = null;
    const shown = made.getOption().legend[0].selected;
    answer.series.forEach((one, number) => answer.periods.forEach((period, at) => {
      if (one[measure][at] === null || shown[one[answer.by]] === false) return;
      const [x, y] = made.convertToPixel({ seriesIndex: number }, [Date.parse(period), one[measure][at]]);
      const apart = Math.hypot(x - offsetX, y - offsetY);
      if (apart <= NEAR && (!nearest || apart < nearest.apart)) nearest = { one, at, apart };
    }));
    if (nearest) open(nearest.one, nearest.at);
  });
}

// `question` is what is asked, whatever days and numbers come.
export function drawLines(place, answer, measure, question, open) {
  const names = answer.series.map((one) => one[answer.by]);
  const time = (period) => Date.parse(period);
  // a point between two gaps has no line to either side, so it needs a dot to be seen
  const dots = answer.periods.length < 40 || answer.totals.some((total, at) => total === null && time(answer.periods[at]) < Date.now());
  put(place, () => ({
    animation: false,
    useUTC: true,
    textStyle: { fontFamily: css("--font"), color: css("--text") },
    grid: { left: 8, right: 16, top: 44, bottom: 8, containLabel: true },
    legend: { type: "scroll", top: 0, icon: "roundRect", itemWidth: 12, itemHeight: 12, textStyle: { color: css("--text") }, pageTextStyle: { color: css("--muted") }, data: names },
    tooltip: {
      trigger: "axis", renderMode: "richText", confine: true,
      formatter: (hits) => {
        const at = hits[0].dataIndex;
        const whole = answer.totals[at];
        if (whole === null) return `${answer.periods[at]} (UTC)\n${time(answer.periods[at]) > Date.now() ? "not begun" : "missing: no layer can answer"}`;
        const lines = answer.series
          .map((one) => [one.n[at], one[answer.by]])
          .sort((a, b) => b[0] - a[0])
          .map(([n, name]) => `${name}: ${n.toLocaleString("en")}${whole ? ` (${percent(n / whole)} of ${whole.toLocaleString("en")})` : ""}`);
        const covered = answer.covered[at];
        if (covered !== null && covered < 0.995) lines.splice(14, lines.length, `feeds connected ${Math.round(100 * covered)}% of the time`);
        return [`${answer.periods[at].replace("T", " ").replace("Z", "")} (UTC)`, ...lines.slice(0, 15)].join("\n");
      },
    },
    xAxis: { type: "time", axisLabel: { color: css("--muted"), hideOverlap: true }, axisLine: { lineStyle: { color: css("--line") } } },
    yAxis: {
      type: "value", min: 0, minInterval: measure === "n" ? 1 : 0,
      axisLabel: { color: css("--muted"), formatter: (value) => (measure === "n" ? value.toLocaleString("en") : `${+(value * 100).toFixed(2)}%`) },
      splitLine: { lineStyle: { color: css("--line") } },
    },
    series: answer.series.map((one, at) => ({
      name: names[at], type: "line", connectNulls: false, showSymbol: dots, symbolSize: 5, lineStyle: { width: 2 },
      itemStyle: { color: colour(names[at], names) }, emphasis: { focus: "series" },
      data: answer.periods.map((period, row) => [time(period), one[measure][row]]),
      markArea: at === 0 ? holes(answer) : undefined,
    })),
  }), question);
  opensPoints(place, answer, measure, open);
}

// Grey bands over the periods that no layer can answer for, fainter ones where no feed was connected.
function holes(answer) {
  const step = { day: 86400000, hour: 3600000, minute: 60000 }[answer.grain];
  const bands = [];
  answer.totals.forEach((total, at) => {
    const began = Date.parse(answer.periods[at]);
    const start = began - step / 2;
    const last = bands[bands.length - 1];
    if (total === null && began > Date.now()) return; // it has not begun
    if (total !== null) {
      // a day that is not over yet has fewer posts, which is no fall
      const running = answer.grain !== "minute" && began <= Date.now() && Date.now() < began + step;
      if (answer.covered[at] === 0) {
        if (last && last[0].name === "no feed" && last[1].xAxis === start) last[1].xAxis = start + step;
        else bands.push([{ xAxis: start, name: "no feed", itemStyle: { opacity: 0.15 } }, { xAxis: start + step }]);
      } else if (running) bands.push([{ xAxis: start, name: "so far", itemStyle: { opacity: 0.1 } }, { xAxis: start + step }]);
    } else if (last && last[0].name === "missing" && last[1].xAxis === start) last[1].xAxis = start + step;
    else bands.push([{ xAxis: start, name: "missing" }, { xAxis: start + step }]);
  });
  return { silent: true, itemStyle: { color: css("--missing"), opacity: 0.25 }, label: { color: css("--muted"), position: "insideTop" }, data: bands };
}
