const clamp = (value, least, most) => Math.min(most, Math.max(least, value))
const round = (value) => Math.round(value * 10) / 10
