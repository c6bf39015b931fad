//  Elements, made and kept up to date.

/** An element. Attributes that are functions listen ("onclick"); null and false leave one out. */
export function h(name, attributes = {}, ...children) {
    const [tag, ...classes] = name.split(".");
    const element = document.createElement(tag);
    if (classes.length > 0)
        element.className = classes.join(" ");
    for (const [key, value] of Object.entries(attributes))
        if (typeof value === "function")
            element.addEventListener(key.slice(2), value);
        else if (value !== null && value !== undefined && value !== false)
            element.setAttribute(key, value === true ? "" : value);
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
}

/** Changes what is shown only when it is another text. */
export function setText(element, text) {
    const string = String(text);
    if (element.textContent !== string)
        element.textContent = string;
    return element;
}

/**
 *  A table. Columns are { title, value (item), number?, wide?, link? (item) }, or have `make (current)` for a cell of
 *  elements, which `shown (item)` may hide. Rows are kept by key, so that the focus outlives an update.
 */
export class Table {
    #columns;
    #key;
    #row;
    #rows = new Map();
    #body = h("tbody");

    constructor(columns, { key, row = () => ({}), empty = "Nothing." }) {
        this.#columns = columns;
        this.#key = key;
        this.#row = row;
        const head = h("tr", {}, columns.map(({ title, number }) =>
            h(number ? "th.number" : "th", { scope: "col" }, title)));
        this.table = h("table", {}, h("thead", {}, head), this.#body);
        this.none = h("p.quiet", {}, empty);
        this.element = h("div.table", {}, this.table, this.none);
    }

    show(items) {
        const left = new Map(this.#rows);
        let place = this.#body.firstChild;
        for (const item of items) {
            const key = String(this.#key(item));
            left.delete(key);
            const row = this.#rows.get(key) ?? this.#make(key, item);
            row.item = item;
            this.#fill(row);
            if (row.tr === place)
                place = place.nextSibling;
            else
                this.#body.insertBefore(row.tr, place);
        }
        for (const [key, { tr }] of left) {
            tr.remove();
            this.#rows.delete(key);
        }
        this.table.hidden = items.length === 0;
        this.none.hidden = items.length > 0;
    }

    #make(key, item) {
        const row = { item, cells: [] };
        const current = () => row.item;
        row.tr = h("tr", { "data-row": key, ...this.#row(current) });
        row.cells = this.#columns.map(({ number, wide, link, make }) => {
            const td = h(number ? "td.number" : wide ? "td.wide" : "td");
            const inner = make ? make(current) : link ? h("a", { href: link(item) }) : null;
            if (inner)
                td.append(inner);
            row.tr.append(td);
            return inner ?? td;
        });
        this.#rows.set(key, row);
        return row;
    }

    #fill({ item, cells }) {
        this.#columns.forEach(({ value, shown }, at) => {
            if (value)
                setText(cells[at], value(item));
            if (shown)
                cells[at].hidden = !shown(item);
        });
    }
}

/** Names and figures; `show` takes them anew. */
export class Tiles {
    #values;

    constructor(titles) {
        this.#values = titles.map(() => h("dd", {}, "–"));
        this.element = h("dl.tiles", {}, titles.map((title, at) => h("div", {}, h("dt", {}, title), this.#values[at])));
    }

    show(values) {
        values.forEach((value, at) => setText(this.#values[at], value));
    }
}

export const section = (title, ...children) => h("section", {}, h("h2", {}, title), ...children);

let sayTimer;

/** A word to the operator, for a while. */
export function say(text, isBad = false) {
    const place = document.getElementById("said");
    place.textContent = text;
    place.classList.toggle("bad", isBad);
    place.classList.add("shown");
    clearTimeout(sayTimer);
    sayTimer = setTimeout(() => place.classList.remove("shown"), 6000);
}
