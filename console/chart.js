//  Lines of the last minutes, on a canvas.

import { shownS } from "./figures.js";

const left = 60, right = 8, top = 8, bottom = 20;

/** Rounded up to 1, 2 or 5 times a power of ten. */
function ceiling(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

/**
 *  A chart of `lines`: [{ name, points, color }], where color is the name of a custom property. `format` writes the
 *  values of the axis; with `isLog` that is logarithmic.
 */
export class Chart {
    #lines;
    #format;
    #isLog;
    #canvas = document.createElement("canvas");

    constructor(title, lines, format, { isLog = false } = {}) {
        this.#lines = lines;
        this.#format = format;
        this.#isLog = isLog;
        this.element = document.createElement("figure");
        const caption = document.createElement("figcaption");
        caption.append(title, ...lines.map((line) => this.#legend(line)));
        this.#canvas.setAttribute("role", "img");
        this.#canvas.setAttribute("aria-label", `${title}: ${lines.map(({ name }) => name).join(", ")}`);
        this.element.append(caption, this.#canvas);
    }

    #legend(line) {
        const span = document.createElement("span");
        span.className = "legend";
        span.style.setProperty("--own", `var(${line.color})`);
        line.shown = document.createElement("b");
        span.append(`${line.name} `, line.shown);
        return span;
    }

    draw(now) {
        const canvas = this.#canvas, scale = devicePixelRatio, width = canvas.clientWidth, height = canvas.clientHeight;
        if (width === 0)
            return;
        canvas.width = Math.round(width * scale);
        canvas.height = Math.round(height * scale);
        const pen = canvas.getContext("2d");
        pen.scale(scale, scale);
        pen.font = `11px ${getComputedStyle(canvas).fontFamily}`;
        const values = this.#lines.flatMap(({ points }) => points.map(({ value }) => value)).filter((v) => v !== null);
        const range = this.#range(values);
        const place = {
            x: (at) => width - right - (now - at) / (shownS * 1000) * (width - left - right),
            y: (value) => height - bottom - range.part(value) * (height - top - bottom),
        };
        this.#drawGrid(pen, place, range, now);
        for (const line of this.#lines)
            this.#drawLine(pen, line, place);
    }

    /** What a custom property comes to: a canvas knows none. */
    #color(name) {
        this.#canvas.style.color = `var(${name})`;
        return getComputedStyle(this.#canvas).color;
    }

    #range(values) {
        const most = Math.max(...values, 0);
        if (!this.#isLog) {
            const end = ceiling(Math.max(most, 1));
            return { marks: [0, end / 2, end], part: (value) => value / end };
        }
        const low = Math.floor(Math.log10(Math.max(1, Math.min(...values, 1e5))));
        const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(most, 1))));
        const marks = Array.from({ length: high - low + 1 }, (nothing, at) => 10 ** (low + at));
        return { marks, part: (value) => (Math.log10(Math.max(value, 1)) - low) / (high - low) };
    }

    #drawGrid(pen, { x, y }, { marks }, now) {
        const { clientWidth: width, clientHeight: height } = this.#canvas;
        pen.strokeStyle = this.#color("--grid");
        pen.fillStyle = this.#color("--quiet");
        pen.lineWidth = 1;
        pen.textAlign = "right";
        pen.textBaseline = "middle";
        for (const mark of marks) {
            pen.beginPath();
            pen.moveTo(left, Math.round(y(mark)) + 0.5);
            pen.lineTo(width - right, Math.round(y(mark)) + 0.5);
            pen.stroke();
            pen.fillText(this.#format(mark), left - 6, y(mark));
        }
        pen.textAlign = "center";
        pen.textBaseline = "bottom";
        for (let minute = 1; minute * 60 < shownS; minute++)
            pen.fillText(`−${minute} min`, x(now - minute * 60_000), height - 2);
    }

    #drawLine(pen, { points, color, shown }, { x, y }) {
        pen.strokeStyle = this.#color(color);
        pen.lineWidth = 1.75;
        pen.lineJoin = "round";
        pen.beginPath();
        let isDown = false;
        for (const { at, value } of points) {
            if (value !== null)
                pen[isDown ? "lineTo" : "moveTo"](x(at), y(value));
            isDown = value !== null || (isDown && this.#isLog);
        }
        pen.stroke();
        const last = points.at(-1)?.value ?? null;
        shown.textContent = last === null ? "–" : this.#format(last);
    }
}
