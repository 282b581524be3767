"""A plan of `decision.py` as a map: SVG, from the cities' coordinates alone.

A square is a depot and has its name; lines go to the cities that it supplies, whose dots are as
large as their populations. A dot says more when it is pointed at.
"""

import math
from collections.abc import Sequence
from html import escape

from depots import City, Plan, named

WEST, EAST, SOUTH, NORTH = -11.5, 31.0, 34.5, 62.5  # degrees
SCALE = 22  # points to a degree of latitude
NARROW = math.cos(math.radians(48))  # a degree of longitude over one of latitude, in mid-Europe
STYLE = """text { font: 13px sans-serif; fill: #1a1a1a; paint-order: stroke; stroke: #fff;
stroke-width: 3px } line { stroke-width: 1.2; stroke-opacity: .7 } circle { fill-opacity: .85 }"""


def draw(cities: Sequence[City], plan: Plan) -> str:
    places = {city["name"]: place(city) for city in cities}
    sizes = {city["name"]: 2 + math.sqrt(city["population"]) / 350 for city in cities}
    lines, marks = [], []
    for number, (depot, supplied) in enumerate(plan["served"].items()):
        hue = round(360 * number / len(plan["served"]))
        colour = f"hsl({hue}, 65%, 40%)"
        x, y = places[depot]
        for city in supplied:
            to_x, to_y = places[city]
            lines.append(f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{colour}"/>')
            said = escape(f"{city}, from {depot}")
            marks.append(
                f'<circle cx="{to_x}" cy="{to_y}" r="{sizes[city]:.1f}" fill="{colour}">'
                f"<title>{said}</title></circle>"
            )
        marks.append(f'<rect x="{x - 6}" y="{y - 6}" width="12" height="12" fill="{colour}"/>')
        marks.append(f'<text x="{x + 10}" y="{y - 8}">{escape(depot)}</text>')
    width, height = round((EAST - WEST) * SCALE * NARROW), round((NORTH - SOUTH) * SCALE)
    title = f"{named(plan['scenario'])}: {plan['cost']:,.0f} EUR a week"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *lines,
            *marks,
            f'<text x="12" y="24">{escape(title)}</text>',
            f'<text x="12" y="{height - 12}">Cities: GeoNames, CC BY 4.0</text>',
            "</svg>\n",
        ]
    )


def place(city: City) -> tuple[float, float]:
    """Where a city is on the map, in points from its upper left corner."""
    x = (city["longitude"] - WEST) * SCALE * NARROW
    return round(x, 1), round((NORTH - city["latitude"]) * SCALE, 1)
