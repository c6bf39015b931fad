//  Small drawings in SVG: a line over the last minutes, and traces on a course. Colours come from the style sheet.

const space = "http://www.w3.org/2000/svg";

function element(name, attributes, ...children) {
    const made = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes))
        made.setAttribute(key, value);
    made.append(...children);
    return made;
}

const line = (points) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");

/** A round step that divides a span into about so many parts. */
function roundStep(span, parts) {
    const rough = span / parts;
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

/** What an axis shows of values from low to high: { floor, ceiling, step }. */
export function axis(low, high) {
    const step = roundStep(Math.max(high - low, 8), 2);
    const floor = Math.floor(low / step) * step;
    return { floor, ceiling: Math.max(Math.ceil(high / step) * step, floor + step), step };
}

function minutes(ms) {
    const seconds = Math.round(ms / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/**
 * Samples as [time, value], oldest first, from `begin` to `end`. A pause longer than gapMs interrupts the line. Charts
 * that are to be compared get one axis.
 */
export function drawLine(svg, samples, { begin, end, gapMs, axis: { floor, ceiling, step } }) {
    const [width, height, left, bottom] = [svg.clientWidth, svg.clientHeight, 30, 14];
    const x = (time) => left + (time - begin) / (end - begin) * (width - left - 4);
    const y = (value) => 6 + (ceiling - value) / (ceiling - floor) * (height - bottom - 8);

    const marks = [];
    for (let value = floor; value <= ceiling; value += step)
        marks.push(
            element("line", { x1: left, x2: width, y1: y(value), y2: y(value) }),
            element("text", { x: left - 6, y: y(value) + 3.5, "text-anchor": "end" }, String(Math.round(value))));
    marks.push(
        element("text", { x: left, y: height - 1 }, `−${minutes(end - begin)}`),
        element("text", { x: width - 2, y: height - 1, "text-anchor": "end" }, "now"));
    const lines = pieces(samples, gapMs).map((piece) =>
        element("polyline", { points: line(piece.map(([time, value]) => [x(time), y(value)])) }));
    svg.replaceChildren(...marks, ...lines);
}

function pieces(samples, gapMs) {
    const found = [];
    let before = -Infinity;
    for (const sample of samples) {
        if (sample[0] - before > gapMs)
            found.push([]);
        found.at(-1).push(sample);
        before = sample[0];
    }
    return found;
}

const metersPerDegree = 111_320;

/** Traces as { name, color, trace: [[lat, lon] ...], className }, drawn to the scale that shows them all. */
export function drawMap(svg, traces) {
    const places = traces.flatMap(({ trace }) => trace);
    if (places.length === 0)
        return svg.replaceChildren();
    const [width, height, margin] = [svg.clientWidth, svg.clientHeight, 28];
    const squeeze = Math.cos(places[0][0] * Math.PI / 180);
    const east = places.map(([, lon]) => lon * squeeze * metersPerDegree);
    const north = places.map(([lat]) => lat * metersPerDegree);
    const [west, south] = [Math.min(...east), Math.min(...north)];
    const [wide, tall] = [Math.max(Math.max(...east) - west, 20), Math.max(Math.max(...north) - south, 20)];
    const scale = Math.min((width - 2 * margin) / wide, (height - 2 * margin - 12) / tall);
    const [padX, padY] = [(width - wide * scale) / 2, (height - 12 - tall * scale) / 2];
    const put = ([lat, lon]) => [
        padX + (lon * squeeze * metersPerDegree - west) * scale,
        padY + (tall - (lat * metersPerDegree - south)) * scale,
    ];
    const drawn = traces.map((one) => ({ ...one, points: one.trace.map(put) }));
    const labels = placeLabels(drawn, width);
    svg.replaceChildren(
        ...drawn.map((one) => colored(one, element("polyline", { points: line(one.points) }))),
        ...drawn.map((one) => colored(one, mark(one), labels.get(one))),
        drawScale(wide, scale, height));
}

function colored({ color, className }, ...children) {
    const group = element("g", { class: className }, ...children);
    group.style.setProperty("--own", color);
    return group;
}

function mark({ points }) {
    const [cx, cy] = points.at(-1);
    return element("circle", { cx, cy, r: 6 });
}

//  Names that would stand on each other stand below each other; none leaves the picture.
function placeLabels(drawn, width) {
    const [tall, wide, beside] = [13, 7, 10];
    const placed = [];
    const byHeight = [...drawn].sort((one, other) => one.points.at(-1)[1] - other.points.at(-1)[1]);
    return new Map(byHeight.map((one) => {
        const [x, top] = one.points.at(-1);
        const room = wide * one.name.length;
        const isLeft = x + beside + room > width;
        const label = { begin: isLeft ? x - beside - room : x + beside, y: top };
        label.end = label.begin + room;
        const isInTheWay = ({ begin, end, y }) =>
            begin < label.end && label.begin < end && label.y < y + tall && y < label.y + tall;
        for (let other = placed.find(isInTheWay); other; other = placed.find(isInTheWay))
            label.y = other.y + tall;
        placed.push(label);
        const at = { x: isLeft ? x - beside : x + beside, y: label.y + 4, "text-anchor": isLeft ? "end" : "start" };
        return [one, element("text", at, one.name)];
    }));
}

function drawScale(wide, scale, height) {
    const meters = roundStep(wide, 4);
    const text = meters >= 1000 ? `${meters / 1000} km` : `${meters} m`;
    return element("g", {},
        element("line", { class: "scale", x1: 4, x2: 4 + meters * scale, y1: height - 6, y2: height - 6 }),
        element("text", { class: "scale-text", x: 10 + meters * scale, y: height - 2 }, text));
}
